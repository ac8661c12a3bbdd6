import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Arrays that the program and its workers have in common: the same code on every backend of this machine.
  @Suite(.timeLimit(.minutes(1))) struct SharedArrays {
    @Test("in a worker's configuration; each item has an element of its own", arguments: Sharing.backends)
    func configuration(backend: WorkerPool.Backend) async throws {
      let array = try SharedArray<Int>(count: 1_000, lock: false)
      try await withWorkerPool(backend) { pool in
        let counts = try await pool.map(0..<1_000, with: Squares(array: array))
        #expect(counts == [Int](repeating: 1_000, count: 1_000))
        #expect(Array(array) == (0..<1_000).map { $0 * $0 })
      }
    }

    @Test("captured by a closure", arguments: Sharing.backends)
    func captured(backend: WorkerPool.Backend) async throws {
      let array = try SharedArray<Int>(count: 100)
      try await withWorkerPool(backend) { pool in
        try await pool.forEach(0..<100) { array[$0] = $0 + 1 }
        #expect(array.reduce(0, +) == 5_050)
      }
    }

    @Test("in items and back in outputs; the same array comes back, as often as it went", arguments: Sharing.backends)
    func items(backend: WorkerPool.Backend) async throws {
      let array = try SharedArray<Float>(repeating: -1, count: 4_096, lock: false)
      let shares = (0..<64).map { Share(name: "\($0)", array: array, range: $0 * 64..<($0 + 1) * 64) }
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map(shares, with: Fill())
        #expect(outputs.map(\.name) == shares.map(\.name))
        #expect(Array(array) == (0..<4_096).map(Float.init))
        array[7] = 77
        #expect(outputs.allSatisfy { $0.array[7] == 77 })
      }
    }

    @Test("all kinds at once, with locks that count right", arguments: Sharing.backends)
    func everything(backend: WorkerPool.Backend) async throws {
      let item = Everything(
        array: try SharedArray([5, 6, 7]), total: try SharedValue(1), counter: try SharedCounter(10),
        flag: try SharedFlag())
      try await withWorkerPool(backend) { pool in
        let counts = try await pool.map([Everything](repeating: item, count: 500), with: UseEverything())
        #expect(counts.sorted() == Array(11...510))
      }
      #expect(Array(item.array) == [505, 6, 7] && item.total.value == 251 && item.counter.value == 510)
      #expect(item.flag.isSet && item.flag.wait(for: .zero))
      item.flag.clear()
      #expect(!item.flag.isSet && !item.flag.wait(for: .milliseconds(1)))
    }

    @Test("M5 counters by worker: the sum of their squares", arguments: Sharing.backends)
    func m5(backend: WorkerPool.Backend) async throws {
      let sums = try SharedArray<Int>(count: 8, lock: false)
      try await withWorkerPool(backend) { pool in
        try await pool.forEach(0..<100) { sums[WorkerContext.current!.slot] += $0 * $0 }
      }
      #expect(sums.reduce(0, +) == 328_350)
    }

    @Test("one waits for another in a different process", arguments: Sharing.wide)
    func flags(backend: WorkerPool.Backend) async throws {
      let ping = try SharedFlag()
      let pong = try SharedFlag()
      try await withWorkerPool(backend) { pool in
        let waits = try await pool.map(0..<2, options: MapOptions(chunking: .size(1))) { item -> Bool in
          if item == 0 {
            ping.wait()
            pong.set()
            return true
          }
          ping.set()
          return pong.wait(for: .seconds(20))
        }
        #expect(waits == [true, true])
      }
    }

    @Test("an array goes on to a pool in a worker, and its output comes back from there", arguments: Sharing.processes)
    func nested(backend: WorkerPool.Backend) async throws {
      let array = try SharedArray<Float>(count: 256)
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map([Share(name: "a", array: array, range: 0..<256)], with: Nested())
        #expect(outputs.count == 1 && outputs[0].name == "a")
        array[3] = 33
        #expect(outputs[0].array[3] == 33)
      }
      #expect(array[200] == 200)
    }

    @Test("the elements in one piece")
    func views() throws {
      let array = try SharedArray<Int32>(repeating: 3, count: 10)
      #expect(array.count == 10 && array.hasLock && !array.isPoisoned)
      #expect(array.withSpan { $0.count } == 10)
      array.withUnsafeMutableBufferPointer { $0[9] = 4 }
      #expect(array.withUnsafeBufferPointer { $0.reduce(0, +) } == 31)
      array.withMutableSpan { $0[0] = 0 }
      #expect(array[0] == 0 && array.last == 4 && array[1..<3].count == 2)
      #expect("\(array)" == "SharedArray<Int32>(10 elements)")
      #expect(try SharedArray<Double>(count: 0).isEmpty)
    }

    @Test("what means nothing elsewhere, and what no machine has, is refused by name")
    func refusals() throws {
      let text = "\(#expect(throws: TransportError.self) { try SharedArray<StaticString>(count: 1) }!)"
      #expect(text.contains("SharedArray<Swift.StaticString>"), "\(text)")
      let size = #expect(throws: SystemError.self) { try SharedArray<Float>(count: 1 << 50) }
      #expect("\(size!)".contains("SharedArray<Swift.Float>"), "\(size!)")
      let memory = #expect(throws: SystemError.self) { try SharedArray<UInt8>(count: 1 << 44) }
      #expect(memory?.code == ENOMEM && "\(memory!)".contains("SharedArray<Swift.UInt8>"))
    }

    @Test("another coder is refused by name, and so is a backend whose workers are not of this machine")
    func foreignCoders() async throws {
      let array = try SharedArray<Float>(count: 4)
      let error = #expect(throws: TransportError.self) { try JSONEncoder().encode(array) }
      #expect(error?.kind == .unsupportedType && "\(error!)".contains("SharedArray<Swift.Float>"))
      #expect("\(error!)".contains("JSONEncoder") || "\(error!)".contains("JSON"), "\(error!)")
      let json = Data("[1,2,3,4,5,6]".utf8)
      #expect(throws: TransportError.self) { try JSONDecoder().decode(SharedArray<Float>.self, from: json) }
      guard !ThreadSanitizer.isOn else { return }
      try await withWorkerPool(.sockets(1)) { pool in
        let share = Share(name: "far", array: array, range: 0..<1)
        for try await outcome in pool.outcomes(of: [share], with: Fill()) {
          guard case .failure(let failure) = outcome.result else { return #expect(Bool(false), "was sent") }
          #expect("\(failure)".contains("SharedArray<Swift.Float>"), "\(failure)")
        }
      }
    }
  }
}

/// Passes its item on to a pool of its own.
struct Nested: StatelessWorker {
  func process(_ share: Share) async throws -> Share {
    try await withWorkerPool(.processes(1)) { pool in try await pool.map([share], with: Fill())[0] }
  }
}
