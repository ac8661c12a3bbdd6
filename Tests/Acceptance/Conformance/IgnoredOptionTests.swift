import Millrace
import TestSupport
import Testing

/// Takes its time, and does not look at its cancellation.
private struct Busy: StatelessWorker {
  func process(_ item: Int) -> Int {
    let end = ContinuousClock.now + .milliseconds(50)
    while ContinuousClock.now < end {}
    return item
  }
}

extension Checked {
  /// An option is kept, or refused by name, on every backend.
  @Suite struct IgnoredOptions {
    @Test("15.1: whoever does the work himself cannot be told how long to wait for the next result")
    func next() async throws {
      try await withWorkerPool(.serial) { pool in
        let options = MapOptions(nextTimeout: .seconds(1))
        let error = await #expect(throws: InvalidOption.self) {
          try await pool.map([1], with: AddOne(), options: options)
        }
        #expect(error?.name == "nextTimeout")
      }
    }

    @Test("15.1: limits on time hold in a serial pool too, when the code has returned")
    func serialLimits() async throws {
      try await withWorkerPool(.serial) { pool in
        let item = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(5)))
        let failure = await #expect(throws: ItemFailure.self) {
          try await pool.map([1, 2], with: Busy(), options: item)
        }
        guard case .timedOut = failure?.cause else {
          Issue.record("\(String(describing: failure))")
          return
        }
        let total = MapOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(5)))
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.map([1, 2], with: Busy(), options: total)
        }
        #expect(error?.kind == .timedOut)
      }
    }

    @Test("15.1: the limit on a strided map's task is one for all of its tasklets", arguments: Backends.Conforming.all)
    func stridedTotal(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 1)
        let options = ItemOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(200)))
        let outputs = try loom.add(0..<1_000, with: Busy(), options: options)
        let error = await #expect(throws: WorkerPoolError.self) { for try await _ in outputs {} }
        #expect(error?.kind == .timedOut)
      }
    }

    @Test("15.1: a result cannot be skipped where none is the next")
    func skips() async throws {
      try await withWorkerPool(.threads(1)) { pool in
        let error = #expect(throws: InvalidOption.self) {
          _ = try StridedMap(on: pool, order: .completion, skipsTimedOut: true)
        }
        #expect(error?.name == "skipsTimedOut")
      }
    }
  }
}
