import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Sleeps for so many microseconds.
struct Nap: StatelessWorker {
  func process(_ item: UInt32) -> UInt32 {
    usleep(item)
    return item
  }
}

extension Faults {
  /// Limits on time, and cancellation.
  @Suite struct Deadlines {
    @Test(
      "F31 F32 F33 an item that will not end goes, with all that it started", .forks,
      arguments: [WorkerPool.Backend.processes(2), Backends.spawning, Backends.forking],
      [.hang, .hangWithChild, .hangWithOrphan] as [Accident.Deed])
    func f31(backend: WorkerPool.Backend, deed: Accident.Deed) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(4), timeouts: MapOptions.Timeouts(item: .milliseconds(300)))
        let found = try await failures(pool, 20, Accident(deeds: [6: deed]), options)
        guard case .timedOut? = found[6]?.cause, found.count == 1 else {
          Issue.record("\(found)")
          return
        }
        try await expectUsable(pool)
      }
    }

    @Test(
      "F34 items take as long as they may, to the millisecond",
      arguments: [WorkerPool.Backend.threads(8), .processes(4)].runnable)
    func f34(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let naps = (0..<400).map { UInt32(4_000 + $0 * 5) }
        let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(5)))
        var index = 0
        for try await outcome in pool.outcomes(of: naps, with: Nap(), options: options) {
          #expect(outcome.index == index)
          if case .failure(let failure) = outcome.result {
            guard case .timedOut = failure.cause else {
              Issue.record(failure)
              continue
            }
          }
          index += 1
        }
        #expect(index == naps.count)
        #expect(try await pool.map([1, 2, 3], with: Nap()) == [1, 2, 3])
      }
    }

    @Test("F35 one of fifty single items is too slow", .forks)
    func f35() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let worker = Accident(deeds: [25: .hang])
        let submissions = try (0..<50).map {
          try pool.submit(
            $0, with: worker, options: ItemOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(300))))
        }
        for (item, submission) in submissions.enumerated() {
          if item == 25 {
            await #expect(throws: ItemFailure.self) { _ = try await submission.value }
          } else {
            #expect(try await submission.value == item * 2)
          }
        }
      }
    }

    @Test("F36 the consumer leaves at the third output", arguments: Backends.everything)
    func f36(backend: WorkerPool.Backend) async throws {
      let drawn = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let items = AnySequence(
          sequence(first: 0) { $0 + 1 }.lazy.map { item in
            drawn.increment()
            return item
          })
        var taken = 0
        let options = MapOptions(chunking: .size(2), window: .items(10))
        for try await _ in pool.outputs(of: items, with: Accident(deeds: [:]), options: options) {
          taken += 1
          if taken == 3 { break }
        }
        try await expectUsable(pool)
        #expect(drawn.value <= 3 + 10)
      }
    }

    @Test("F37 a map is cancelled while its input waits for room", arguments: Backends.apart)
    func f37(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let read = CommonCounter()
        let task = Task {
          let items = AsyncStream<Int> {
            read.increment()
            return 1
          }
          let stream = pool.outputs(
            of: items, with: Accident(deeds: [:]), options: MapOptions(chunking: .size(1), window: .items(4)))
          for try await _ in stream { try await Task.sleep(for: .seconds(60)) }
        }
        await read.wait(for: 4)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await expectUsable(pool)
      }
    }

    @Test("F38 cancelled in set-up, and in the wait before a retry", arguments: Backends.apart.able(.usesDispatch))
    func f38(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let inSetUp = Task { try await pool.map(0..<10, with: Late(), options: MapOptions(keepsWorkers: false)) }
        try await Task.sleep(for: .milliseconds(30))
        inSetUp.cancel()
        await #expect(throws: CancellationError.self) { _ = try await inSetUp.value }

        let failed = CommonCounter()
        let inBackoff = Task {
          let retry = MapOptions.Retry.upTo(3, backoff: .exponential(.seconds(50), maximum: .seconds(60))) { _ in
            failed.increment()
            return true
          }
          return try await pool.map(0..<10, with: Accident(deeds: [3: .throwError]), options: MapOptions(retry: retry))
        }
        await failed.wait(for: 1)
        inBackoff.cancel()
        await #expect(throws: CancellationError.self) { _ = try await inBackoff.value }
        try await expectUsable(pool)
      }
    }

    @Test("F48 the input blocks for ever, and its job is given up", arguments: Backends.apart)
    func f48(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let items = AsyncStream<Int> {
          try? await Task.sleep(for: .seconds(600))
          return nil
        }
        let map = Task { try await pool.map(items, with: Accident(deeds: [:])) }
        try await Task.sleep(for: .milliseconds(20))
        map.cancel()
        await #expect(throws: CancellationError.self) { _ = try await map.value }
        try await expectUsable(pool)
      }
    }
  }
}

/// Takes its time to be set up.
private struct Late: Worker {
  func setUp(_ context: WorkerContext) async { try? await Task.sleep(for: .milliseconds(150)) }
  func process(_ item: Int, state: inout Void) -> Int { item }
}
