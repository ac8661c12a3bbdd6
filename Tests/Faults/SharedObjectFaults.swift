import Foundation
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Dies in the lock of what it was given, if it is told to; else says what it finds.
private struct DiesInTheLock: StatelessWorker, Codable {
  var array: SharedArray<Int>

  func process(_ item: Int) -> Bool {
    array.withLock { elements in
      elements[0] += 1
      if item == 0 { kill(getpid(), SIGKILL) }
      elements[1] += 1
      return array.isPoisoned
    }
  }
}

/// Takes from one queue and puts into the other; dies with the element that it has taken if that is 0.
private struct DiesWithAnElement: StatelessWorker, Codable {
  var from: SharedQueue<Int>
  var to: SharedQueue<Int>

  func process(_ item: Int) throws -> Bool {
    guard let element = try from.pop() else { return false }
    if element == 0 { kill(getpid(), SIGKILL) }
    return try to.push(element)
  }
}

/// Waits until its process has so few shared objects.
private struct WaitsForFew: StatelessWorker {
  func process(_ arrays: [SharedArray<Int>]) throws -> Int {
    let end = ContinuousClock.now + .seconds(10)
    while arrays.isEmpty, SharedRegistry.count > 0, ContinuousClock.now < end { usleep(1_000) }
    return SharedRegistry.count
  }
}

extension Faults {
  /// What becomes of memory that several processes have in common when one of them dies.
  @Suite(.forks) struct SharedObjects {
    @Test("a worker dies in the lock: the next one has it, and is told", arguments: Backends.isolating)
    func inTheLock(backend: WorkerPool.Backend) async throws {
      let array = try SharedArray<Int>(count: 2)
      try await withWorkerPool(backend) { pool in
        var failed: [Int] = []
        for try await outcome in pool.outcomes(
          of: 0..<8, with: DiesInTheLock(array: array), options: MapOptions(chunking: .size(1)))
        {
          if case .failure = outcome.result { failed.append(outcome.index) }
        }
        // Where two slots share a process, the one beside it is run again.
        #expect(failed == [0])
        // It may have been the last to run: then nobody has been told yet.
        array.withLock { #expect(array.isPoisoned && $0[0] > $0[1]) }
        #expect(array.isPoisoned && array[0] > array[1] && array[1] >= 7)
        array.withLock { $0[0] = $0[1] }
        array.clearPoison()
        let found = try await pool.map(1..<3, with: DiesInTheLock(array: array))
        #expect(found == [false, false])
      }
    }

    @Test("a worker dies with an element: the queue goes on", arguments: Backends.isolating)
    func withAnElement(backend: WorkerPool.Backend) async throws {
      let from = try SharedQueue<Int>(capacity: 100)
      let to = try SharedQueue<Int>(capacity: 100)
      for element in [3, 0, 1, 2, 4, 5, 6, 7] { try from.push(element) }
      from.close()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(1), retry: .upTo(3))
        let moved = try await pool.map(0..<8, with: DiesWithAnElement(from: from, to: to), options: options)
        to.close()
        var left: Set<Int> = []
        while let element = try to.pop() { left.insert(element) }
        // What was in the hand of another thread of the process that died has gone with it, as what killed it has.
        let gone = 7 - left.count
        #expect(gone == 0 || gone == 1 && "\(backend)" == "\(Backends.crowded)")
        #expect(left.isSubset(of: Set(1...7)) && moved.count(where: { $0 }) == left.count)
      }
    }

    /// A forked worker has what the program had when it was forked, until it ends.
    private static let fresh = [WorkerPool.Backend.processes(1), .processes(3), Backends.spawning, Backends.crowded]

    @Test("a worker has an object once, and none of it when the program has not", arguments: fresh)
    func forgotten(backend: WorkerPool.Backend) async throws {
      let before = SharedRegistry.count
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(1))
        do {
          let arrays = try (0..<20).map { _ in try SharedArray<Int>(count: 1) }
          let found = try await pool.map((0..<200).map { [arrays[$0 % 20]] }, with: WaitsForFew(), options: options)
          #expect(found.allSatisfy { (1...20).contains($0) }, "\(found.max() ?? 0)")
        }
        let left = try await pool.map([[]], with: WaitsForFew(), options: options)
        #expect(left == [0])
      }
      #expect(SharedRegistry.count == before)
    }

    @Test(
      "more objects than descriptors: an error by name, and nothing is lost",
      arguments: ["forkServer", "spawn", "fork"])
    func manyObjects(start: String) async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["objects", start, "300"])
        return (program.rest(), program.wait())
      }
      #expect(
        lines == [
          "some bytes of shared memory for Millrace.SharedArray<Swift.UInt8>: memfd_create of some bytes: Too many open files (errno 24)",
          "all were filled", "all were made", "right",
        ])
      #expect(code == 0)
    }

    @Test(
      "ten thousand objects at once, where the program may have so many descriptors",
      .enabled("more descriptors are not allowed here") {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return limit.rlim_max >= 12_100
      })
    func tenThousand() async throws {
      let (lines, code) = try await onPlainThread {
        let program = try TestProgram(["objects", "forkServer", "12000"])
        return (program.rest(), program.wait())
      }
      #expect(lines == ["all were filled", "all were made", "right"] && code == 0, "\(code): \(lines)")
    }
  }
}
