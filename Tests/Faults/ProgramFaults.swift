import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// An output that cannot be encoded.
private struct Unspeakable: Codable, Sendable {
  var number: Int
  var name = "nobody"

  func encode(to encoder: any Encoder) throws {
    if number == 7 { throw Misfortune() }
    var container = encoder.unkeyedContainer()
    try container.encode(number)
    try container.encode(name)
  }

  init(number: Int) { self.number = number }

  init(from decoder: any Decoder) throws {
    var container = try decoder.unkeyedContainer()
    number = try container.decode(Int.self)
    name = try container.decode(String.self)
  }
}

private struct Whisper: StatelessWorker {
  func process(_ item: Int) -> Unspeakable { Unspeakable(number: item) }
}

/// Prints a million characters without an end of line, among them what is no text.
private struct Noise: StatelessWorker {
  func process(_ item: Int) -> Int {
    var bytes = [UInt8](repeating: item % 2 == 0 ? UInt8(ascii: "x") : 0x1b, count: 1_000_000)
    for place in stride(from: 0, to: bytes.count, by: 50_000) { bytes[place] = 0xff }
    _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    return item
  }
}

private struct Mirror: StatelessWorker {
  func process(_ item: [UInt8]) -> [UInt8] { item }
}

extension Faults {
  /// What happens on the program's side, and to its data and resources.
  @Suite struct Program {
    @Test("F39 the whole program and its workers stand still for five seconds", .forks)
    func f39() async throws {
      let lines = try await onPlainThread {
        let program = try TestProgram(["patient", "forkServer"])
        while let line = program.line(), line != "running" {}
        let everyone = [program.id] + descendants(of: program.id)
        for process in everyone { kill(process, SIGSTOP) }
        sleep(5)
        for process in everyone { kill(process, SIGCONT) }
        defer { _ = program.wait() }
        return program.rest()
      }
      #expect(lines == ["right"])
    }

    @Test(
      "U39: outputs for which this program has no memory fail alone, and their worker stays", .forks,
      .timeLimit(.minutes(1)), arguments: ["forkServer", "spawn"])
    func noMemoryHere(start: String) async throws {
      let lines = try await onPlainThread {
        let program = try TestProgram(["narrow", start])
        defer { _ = program.wait() }
        return program.rest()
      }
      #expect(lines.count == 7, "\(lines)")
      let text = "bytes that its worker sent into this program's memory: Cannot allocate memory"
      let failed = lines.filter { $0.contains(text) }
      #expect(failed.count == 2 && failed[0].hasPrefix("item 1, ") && failed[1].hasPrefix("item 3, "), "\(lines)")
      for line in ["0: 4", "2: 4", "4: 1048576", "5: 4", "1 worker"] { #expect(lines.contains(line), "\(lines)") }
    }

    @Test("F47 the input throws at the thirtieth item", arguments: Backends.everything)
    func f47(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let read = CommonCounter()
        let items = AsyncThrowingStream<Int, any Error> {
          let item = read.increment() - 1
          if item == 30 { throw Misfortune() }
          return item
        }
        var index = 0
        await #expect(throws: Misfortune.self) {
          for try await outcome in pool.outcomes(of: items, with: Accident(deeds: [:])) {
            #expect(outcome.index == index)
            #expect(try outcome.output == index * 2)
            index += 1
          }
        }
        #expect(index == 30 && read.value == 31)
        try await expectUsable(pool)
      }
    }

    @Test("F49 a slow consumer, and an input that is far from its end", arguments: Backends.apart)
    func f49(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let read = CommonCounter()
        let items = AnySequence(
          sequence(first: 0) { $0 + 1 }.lazy.map { item in
            read.increment()
            return [UInt8](repeating: UInt8(truncatingIfNeeded: item), count: 1_024)
          })
        var taken = 0
        for try await _ in pool.outputs(
          of: items, with: Mirror(), options: MapOptions(chunking: .size(1), window: .items(16)))
        {
          taken += 1
          #expect(read.value - taken < 16)
          if taken == 200 { break }
          if taken % 20 == 0 { try await Task.sleep(for: .milliseconds(5)) }
        }
        try await expectUsable(pool)
      }
    }

    @Test("F50 who hears of the end of an item gives the pool another", arguments: Backends.apart)
    func f50(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let again = CommonCounter()
        let (ends, end) = AsyncStream.makeStream(of: Int.self)
        for item in 0..<20 {
          let first = try pool.submit(item, with: Accident(deeds: [:]))
          Task {
            _ = try? await first.value
            let second = try? pool.submit(item + 100, with: Accident(deeds: [:]))
            if second == nil { Issue.record("the pool refused") }
            if (try? await second?.value) == (item + 100) * 2, again.increment() == 20 { end.finish() }
          }
        }
        for await _ in ends {}
        #expect(again.value == 20)
      }
    }

    @Test("F51 a pool is dropped with work in it", arguments: Backends.apart)
    func f51(backend: WorkerPool.Backend) async throws {
      var submissions: [Submission<Int>] = []
      do {
        let pool = try WorkerPool(backend)
        submissions = try (0..<50).map { try pool.submit($0, with: Accident(deeds: [:])) }
        if case .some = submissions.first { try await pool.terminate() }
      }
      for submission in submissions {
        // Each is resolved: with its output, or with an error.
        if let output = try? await submission.value { #expect(output % 2 == 0) }
        #expect(submission.isFinished)
      }
    }

    @Test("F54 maps of all kinds, one after the other on one pool", arguments: Backends.everything.able(.runsClosures))
    func f54(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let worker = Accident(deeds: [:])
        let doubled = (0..<60).map { $0 * 2 }
        for _ in 0..<3 {
          #expect(try await pool.map(0..<60, with: worker) == doubled)
          #expect(try await pool.map(0..<60, with: worker, order: .completion).sorted() == doubled)
          var streamed: [Int] = []
          for try await output in pool.outputs(of: 0..<60, with: worker) { streamed.append(output) }
          #expect(streamed == doubled)
          #expect(try await pool.run(4, with: worker) == 8)
          #expect(try await failures(pool, 60, worker).isEmpty)
          #expect(try await pool.map(0..<60) { $0 * 2 } == doubled)
        }
      }
    }

    @Test("F55 no items, one, and sizes that cannot be", arguments: Backends.everything)
    func f55(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let worker = Accident(deeds: [:])
        #expect(try await pool.map([], with: worker).isEmpty)
        #expect(try await pool.map([3], with: worker) == [6])
        #expect(try await pool.map([3], with: worker, options: MapOptions(chunking: .size(1_000))) == [6])
        for size in [0, -1] {
          await #expect(throws: InvalidOption.self) {
            _ = try await pool.map([3], with: worker, options: MapOptions(chunking: .size(Double(size))))
          }
        }
        try await expectUsable(pool)
      }
    }

    @Test("F55 ten million items", arguments: [WorkerPool.Backend.threads(2), .processes(2)].runnable)
    func f55Many(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        // Under the sanitizer that many take most of a minute.
        let count = ThreadSanitizer.isOn ? 1_000_000 : 10_000_000
        let outputs = try await pool.map(0..<count, with: Halve())
        #expect(outputs.count == count && outputs.last == count / 2 - 1 && outputs[400_001] == 200_000)
      }
    }

    @Test(
      "F56 large items are dropped half-way", arguments: [WorkerPool.Backend.processes(2), Backends.forking].runnable)
    func f56(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let large = [UInt8](repeating: 7, count: 64 << 20)
        #expect(try await pool.map([large, large], with: Mirror()).map(\.count) == [64 << 20, 64 << 20])
        for delay in [1, 10, 30] {
          let map = Task { try await pool.map([large, large, large, large], with: Mirror()) }
          try await Task.sleep(for: .milliseconds(delay))
          map.cancel()
          _ = try? await map.value
        }
        try await expectUsable(pool)
      }
    }

    @Test("F62 there are no descriptors left", .forks, arguments: ["forkServer", "spawn", "fork"])
    func f62(start: String) async throws {
      for free in Array(0...12) + [16, 24, 40] {
        let (lines, code) = try await onPlainThread {
          let program = try TestProgram(["cramped", start, "\(free)"])
          return (program.rest(), program.wait())
        }
        // A clear error, or a pool that works.
        #expect(code == 0 && lines.count == 1, "\(free) free: \(code), \(lines)")
        #expect(lines.first == "right" || lines.first?.contains("errno 24") == true, "\(free) free: \(lines)")
      }
    }

    @Test("U228: a set-up for which this program has no descriptor fails, and costs no worker", .forks)
    func noDescriptorHere() async throws {
      try await LineLedger.with { ledger in
        let lines = try await onPlainThread {
          let program = try TestProgram(["exhausted", "forkServer", ledger.path])
          defer {
            _ = program.wait()
            unlink("\(ledger.path).running")
          }
          return program.rest()
        }
        #expect(lines.count == 3 && lines[0].contains("errno 24"), "\(lines)")
        #expect(lines.dropFirst() == ["innocent", "right"], "\(lines)")
      }
    }

    @Test("U232: a configuration for which this program has no memory is refused, and no more than that", .forks)
    func noMemoryForConfiguration() async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["bulky", "forkServer"])
        return (program.rest(), program.wait())
      }
      #expect(code == 0 && lines == ["errno 12", "right", "usable"], "\(code), \(lines)")
    }

    @Test("F64 workers print megabytes of nonsense without an end of line", .forks)
    func f64() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        #expect(try await pool.map(0..<8, with: Noise(), options: MapOptions(chunking: .size(1))) == Array(0..<8))
      }
    }

    @Test(
      "F66 an output that cannot be encoded", .forks, arguments: [WorkerPool.Backend.processes(2), Backends.forking])
    func f66(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: 0..<20, with: Whisper(), options: MapOptions(chunking: .size(4))) {
          switch outcome.result {
          case .success(let output): #expect(output.number == outcome.index)
          case .failure(let failure):
            failed.append(failure.index)
            expectCodingFailed(failure)
          }
        }
        #expect(failed == [7])
      }
    }
  }
}

struct Halve: StatelessWorker {
  func process(_ item: Int) -> Int { item / 2 }
}
