import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct RefusedEvent: Error, Codable {}

/// Refuses every tenth item, and of those every second one twice.
private struct PickyOfTens: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int {
    if item % 10 == 0, item % 20 == 0 || WorkerContext.current?.attempt == 1 { throw RefusedEvent() }
    return item
  }
}

private struct FragileAtFive: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    if item == 5 { fatalError("five") }
    return item
  }
}

extension Checked {
  /// What happens in a pool is told to whoever wants to know.
  @Suite struct Events {
    /// All that happens in the pool while it lives, and the pool as it was before.
    private func watched(
      _ backend: WorkerPool.Backend, _ body: (WorkerPool) async throws -> Void
    ) async throws -> (PoolSnapshot, [DispatchEvent]) {
      let pool = try WorkerPool(backend)
      let (snapshot, subscription) = pool.observe(buffer: 100_000)
      let loop = Task {
        var events: [DispatchEvent] = []
        while await subscription.buffer.wait() { events += subscription.buffer.take().elements.map(\.event) }
        return events
      }
      try await body(pool)
      try await pool.shutdown()
      return (snapshot, await loop.value)
    }

    @Test("events: each outcome is told once, and together they are the pool", arguments: Backends.Conforming.all)
    func outcomes(backend: WorkerPool.Backend) async throws {
      let items = Array(1...1_000)
      let (before, events) = try await watched(backend) { pool in
        let options = MapOptions(retry: .upTo(1))
        var failed = 0
        for try await outcome in pool.outcomes(of: items, with: PickyOfTens(), options: options) {
          if case .failure = outcome.result { failed += 1 }
        }
        #expect(failed == 50)
      }
      var done = Array(repeating: 0, count: items.count)
      var retried = 0
      var totals: JobTotals?
      var picture = before
      for event in events {
        picture.apply(event, at: 0)
        switch event {
        case .itemsDone(_, let range, _, _): for index in range { done[index] += 1 }
        case .itemFailed(_, let failure): done[failure.index] += 1
        case .itemRetried: retried += 1
        case .jobEnded(_, _, let found): totals = found
        default: break
        }
      }
      #expect(done.allSatisfy { $0 == 1 })
      #expect(retried == 100)
      #expect(totals?.done == 950)
      #expect(totals?.failed == 50)
      #expect(picture.hasStopped)
      #expect(picture.jobs.isEmpty)
      #expect(picture.slots.allSatisfy { $0.state == .closed && $0.work.isEmpty })
    }

    @Test("events: a crash, and the worker that comes after it", .forks)
    func crash() async throws {
      let (_, events) = try await watched(.processes(1)) { pool in
        for try await _ in pool.outcomes(of: 0..<10, with: FragileAtFive()) {}
      }
      let crashes = events.count { event in
        guard case .workerEnded(_, _, let departure) = event, case .died(.crashed) = departure.cause else {
          return false
        }
        return true
      }
      let replacements = events.count { if case .workerStarting(_, _, replaces: true) = $0 { true } else { false } }
      #expect(crashes == 1)
      #expect(replacements == 1)
    }

    @Test(
      "events: a loop that is slower than the pool misses the oldest, and knows how many", arguments: Backends.shared)
    func missed(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let (_, all) = pool.observe(buffer: 100_000)
      let (_, few) = pool.observe(buffer: 8)
      _ = try await pool.map(0..<100, options: MapOptions(chunking: .size(1))) { $0 }
      try await pool.shutdown()
      let count = all.buffer.take().count
      let rest = few.buffer.take().elements
      guard case .missed(let missed)? = rest.first?.event else { return #expect(Bool(false), "\(rest)") }
      #expect(rest.count == 9)
      #expect(missed + 8 == count)
      #expect(await few.buffer.wait() == false)
    }

    @Test("events: a loop over a pool's events ends with the pool, and who leaves it is told nothing more")
    func loop() async throws {
      let pool = try WorkerPool(.threads(2))
      let events = pool.events
      let first = Task {
        for await event in events { if case .jobEnded = event.event { return true } }
        return false
      }
      let second = Task {
        var isStopped = false
        for await event in events { if case .poolStopped = event.event { isStopped = true } }
        return isStopped
      }
      while pool.observerCount < 2 { await Task.yield() }
      _ = try await pool.map(0..<100) { $0 }
      #expect(await first.value)
      #expect(pool.observerCount == 1)
      try await pool.shutdown()
      #expect(await second.value)
      for await _ in events { Issue.record("an event of a pool that has ended") }
    }
  }
}
