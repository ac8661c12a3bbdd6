import Millrace
import MillraceIPC
import TestSupport
import Testing

/// Fails until its third attempt, and says which random number it drew.
struct ThirdTime: Worker {
  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Drawn {
    var random = context.random
    let drawn = Drawn(item: item, index: context.index, attempt: context.attempt, number: random.next())
    if item % 5 == 0, context.attempt < 3 { throw drawn }
    return drawn
  }
}

/// Not private: its type has to be found by name when it comes back from a worker process.
struct Drawn: Error, Codable, Hashable {
  var item: Int, index: Int, attempt: Int, number: UInt64
}

/// Until it is cancelled.
struct Slowest: StatelessWorker {
  func process(_ item: Int) async { try? await Task.sleep(for: .seconds(3600)) }
}

extension Checked {
  @Suite struct Retries {
    @Test(
      "U253: of what is given up for something else than its slowness nobody asks whether it is to be tried again",
      arguments: Backends.Conforming.all)
    func notAsked(backend: WorkerPool.Backend) async throws {
      let asked = Lock<[String]>([])
      let options = MapOptions(
        retry: .upTo(
          2,
          when: { failure in
            asked.withLock { $0.append("\(failure)") }
            return true
          }), timeouts: MapOptions.Timeouts(item: .seconds(60)))
      let error = await #expect(throws: (any Error).self) {
        try await withWorkerPool(backend) { pool async throws in
          try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pool.forEach(0..<4, with: Slowest(), options: options) }
            try await Task.sleep(for: .milliseconds(100))
            throw Refused(item: 0)
          }
        }
      }
      #expect(error is Refused && asked.withLock { $0 } == [])
    }

    @Test(
      "a retried item keeps its place and its random numbers",
      arguments: Backends.Conforming.everything + Backends.remote)
    func attempts(backend: WorkerPool.Backend) async throws {
      let drawn = Lock<[Drawn]>([])
      let note: @Sendable (ItemFailure) -> Bool = { failure in
        if let found = failure.underlying as? Drawn { drawn.withLock { $0.append(found) } }
        return true
      }
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(7), retry: .upTo(2, when: note), seed: 42)
        let items = (0..<40).map { $0 + 100 }
        var index = 0
        for try await outcome in pool.outcomes(of: items, with: ThirdTime(), options: options) {
          let output = try outcome.output
          let attempt = outcome.input % 5 == 0 ? 3 : 1
          var random = ItemRandom(seed: 42, index: index)
          #expect(outcome.index == index && outcome.attempt == attempt)
          #expect(output == Drawn(item: index + 100, index: index, attempt: attempt, number: random.next()))
          drawn.withLock { $0.append(output) }
          index += 1
        }
        #expect(index == 40)
      }
      let all = drawn.withLock { $0 }
      #expect(all.count == 40 + 8 * 2 && Set(all).count == all.count)
      for (_, tries) in Dictionary(grouping: all, by: \.item) { #expect(Set(tries.map(\.number)).count == 1) }
    }

    @Test("an item that keeps failing fails once, with its last attempt", arguments: Backends.Conforming.all)
    func exhausted(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(retry: .upTo(3))
        for try await outcome in pool.outcomes(of: 0..<10, with: Picky(modulus: 10, remainder: 6), options: options) {
          guard case .failure(let failure) = outcome.result else { continue }
          #expect(failure.index == 6 && failure.attempt == 4 && outcome.attempt == 4)
        }
      }
    }

    @Test("only what is worth it is tried again", arguments: Backends.Conforming.all.able(.runsClosures))
    func condition(backend: WorkerPool.Backend) async throws {
      let tries = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(
          retry: .upTo(5) { ($0.underlying as? Refused)?.item == 1 })
        let outputs = try await pool.map(0..<3, onFailure: .skip, options: options) { item in
          tries.increment()
          if item > 0 { throw Refused(item: item) }
          return item
        }
        #expect(outputs == [0])
      }
      #expect(tries.value == 1 + 6 + 1)
    }

    @Test("whether to try again is asked with the limit that was passed", arguments: Backends.Conforming.everything)
    func conditionOfTimeout(backend: WorkerPool.Backend) async throws {
      let limit = Duration.milliseconds(50)
      let asked = Lock<[ItemFailure]>([])
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(
          retry: .upTo(1) { failure in
            asked.withLock { $0.append(failure) }
            return true
          }, timeouts: MapOptions.Timeouts(item: limit))
        let outputs = try await pool.map(0..<5, with: Stuck(items: [3]), onFailure: .skip, options: options)
        #expect(outputs == [0, 1, 2, 4])
      }
      let failures = asked.withLock { $0 }
      #expect(failures.first?.attempt == 1)
      for failure in failures {
        guard failure.index == 3, case .timedOut(limit) = failure.cause else {
          Issue.record("\(failure)")
          continue
        }
      }
    }

    @Test("a back-off passes before the retry", arguments: Backends.Conforming.all.able(.runsClosures))
    func backoff(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(retry: .upTo(2, backoff: .constant(.milliseconds(40))))
        let begin = ContinuousClock.now
        let outputs = try await pool.map(0..<3, options: options) { item in
          let context = WorkerContext.current!
          if item == 1, context.attempt < 3 { throw Refused(item: item) }
          return context.attempt
        }
        #expect(outputs == [1, 3, 1])
        // Jitter takes up to half of each delay.
        #expect(ContinuousClock.now - begin >= .milliseconds(40))
      }
    }
  }
}
