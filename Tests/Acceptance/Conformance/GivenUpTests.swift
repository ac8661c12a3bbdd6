#if canImport(Glibc)
import Glibc
#endif
import Logging
import Millrace
import TestSupport
import Testing

/// Sleeps until it is cancelled, and says when it begins and when its worker goes.
private struct Sleeper: Worker {
  let begun = CommonCounter()
  let gone = CommonCounter()

  func setUp(_ context: WorkerContext) {}
  func process(_ item: Int, state: inout Void) async throws -> Int {
    begun.increment()
    try await Task.sleep(for: .seconds(30))
    return item
  }
  func tearDown(_ state: Void) { gone.increment() }
}

/// Refuses the third item.
private struct Choosy: StatelessWorker {
  let begun = (0..<6).map { _ in CommonCounter() }

  func process(_ item: Int) throws -> Int {
    begun[item].increment()
    if item == 2 { throw Refused(item: item) }
    return item
  }
}

/// Gives what must not happen the time to happen.
private func wait(upTo limit: Duration, until condition: () -> Bool) {
  let end = ContinuousClock.now + limit
  while !condition(), ContinuousClock.now < end { sched_yield() }
}

extension Checked {
  /// Items that are given up, in programs in which whoever does so is slow to say it.
  @Suite struct GivenUp {
    static let silent = Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() }
    static let backends = [WorkerPool.Backend.tasks(1), .tasks(3), .threads(1), .threads(3)]

    @Test("U9: an item that ends as soon as it is given up is not begun again", arguments: backends)
    func endsAtOnce(backend: WorkerPool.Backend) async throws {
      let worker = Sleeper()
      let asked = CommonCounter()
      // Asked by whoever gives the item up, who takes longer than the item and its worker.
      let retry = MapOptions.Retry.upTo(1) { _ in
        if asked.increment() == 1 {
          wait(upTo: .seconds(5)) { worker.gone.value > 0 }
          wait(upTo: .milliseconds(200)) { worker.begun.value > 1 }
        }
        return false
      }
      let options = MapOptions(retry: retry, timeouts: MapOptions.Timeouts(item: .milliseconds(30)))
      try await withWorkerPool(backend, logger: Self.silent) { pool async throws in
        let failure = await #expect(throws: ItemFailure.self) {
          try await pool.map([0], with: worker, options: options)
        }
        #expect("\(String(describing: failure))".contains("timed out"))
      }
      #expect(worker.begun.value == 1)
    }

    @Test("U9: what was done before an item that throws and is given up is not done again", arguments: backends)
    func throwsAndIsGivenUp(backend: WorkerPool.Backend) async throws {
      let worker = Choosy()
      let isGivenUp = CommonCounter()
      // Asked for the item that threw, until it is too slow; then for that.
      let retry = MapOptions.Retry.upTo(1) { failure in
        if case .timedOut = failure.cause {
          isGivenUp.increment()
        } else {
          wait(upTo: .seconds(5)) { isGivenUp.value > 0 }
          wait(upTo: .milliseconds(200)) { worker.begun[0].value > 1 }
        }
        return false
      }
      let options = MapOptions(
        chunking: .size(6), retry: retry, timeouts: MapOptions.Timeouts(item: .milliseconds(30)))
      try await withWorkerPool(backend, logger: Self.silent) { pool async throws in
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: 0..<6, with: worker, options: options) {
          if case .failure = outcome.result { failed.append(outcome.index) }
        }
        #expect(failed == [2])
      }
      #expect(worker.begun.map(\.value) == [1, 1, 1, 1, 1, 1])
    }
  }
}
