import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Belongs to the main actor, as view models and many a library's types do.
@MainActor private final class Tally {
  static let shared = Tally()
  private var seen = 0
  private var holders = 0

  /// How often it was asked; never by two at once.
  func next() async -> Int {
    holders += 1
    precondition(holders == 1)
    MainActor.preconditionIsolated()
    seen += 1
    holders -= 1
    await Task.yield()
    return count()
  }

  /// As code does that knows where it is called.
  nonisolated private func count() -> Int { MainActor.assumeIsolated { seen } }
}

private actor Counter {
  private var count = 0
  func next() -> Int {
    count += 1
    return count
  }
}

/// Asks the main actor in its set-up and for its items.
private struct AsksTheMainActor: Worker, Codable {
  func setUp(_ context: WorkerContext) async -> Int { await MainActor.run { 10 } }

  func process(_ item: Int, state base: inout Int) async -> Int {
    let seen = await Tally.shared.next()
    let doubled = await Task { @MainActor in 2 * item }.value
    return seen > 0 ? base + doubled : -1
  }
}

private struct DiesOnTheMainActor: StatelessWorker, Codable {
  func process(_ item: Int) async -> Int {
    await MainActor.run {
      if item == 3 { fatalError("three, on the main actor") }
      return item
    }
  }
}

/// Waits there until the item is given up.
private struct StaysOnTheMainActor: StatelessWorker, Codable {
  func process(_ item: Int) async -> Int {
    await MainActor.run { while item == 3, !Task.isCancelled {} }
    return item
  }
}

extension Checked {
  /// Which executors code has in workers, where no `main` runs.
  @Suite struct WorkersExecutors {
    @Test("U162: the main actor runs what it is asked, in types", arguments: Backends.Conforming.everything)
    func mainActor(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(0..<50, with: AsksTheMainActor()) == (0..<50).map { 10 + 2 * $0 })
      }
    }

    @Test("U162: and in closures", arguments: Backends.Conforming.everything.able(.runsClosures))
    func mainActorOfClosures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<50) { item in
          let seen = await Tally.shared.next()
          return await MainActor.run { seen > 0 ? item + 1 : -1 }
        }
        #expect(outputs == Array(1...50))
      }
    }

    @Test("U162: what traps there costs its item", arguments: Backends.isolating)
    func trap(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var failed: [Int] = [], reasons: [String] = []
        for try await outcome in pool.outcomes(of: 0..<20, with: DiesOnTheMainActor()) {
          if case .failure(let failure) = outcome.result {
            failed.append(outcome.index)
            reasons.append("\(failure)")
          }
        }
        #expect(failed == [3] && reasons[0].contains("three, on the main actor"), "\(failed) \(reasons)")
      }
    }

    // Not with several in a process: it has one main actor, and who waits behind the item is over its limit too.
    @Test(
      "U162: what hangs there has the item's limit",
      arguments: [WorkerPool.Backend.processes(3), Backends.spawning, Backends.forking].runnable)
    func hang(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var failed: [Int] = []
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(100)))
        for try await outcome in pool.outcomes(of: 0..<6, with: StaysOnTheMainActor(), options: options) {
          if case .failure = outcome.result { failed.append(outcome.index) }
        }
        #expect(failed == [3])
      }
    }

    @Test(
      "U163: tasks of no executor run, in closures too", arguments: Backends.Conforming.everything.able(.runsClosures))
    func tasks(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outputs = try await pool.map(0..<50) { item in
          let counter = Counter()
          let detached = Task.detached {
            await withTaskGroup(of: Int.self) { group in
              for number in 0..<10 { group.addTask { await counter.next() > 0 ? number : -1 } }
              return await group.reduce(0, +)
            }
          }
          let inheriting = Task {
            await Task.yield()
            return item
          }
          return await detached.value + inheriting.value + (await counter.next())
        }
        #expect(outputs == (0..<50).map { 45 + $0 + 11 })
      }
    }

    #if compiler(>=6.3)
    @Test("U163: who sleeps is woken, in closures too", arguments: Backends.Conforming.everything.able(.runsClosures))
    func sleeping(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let slept = try await pool.map(0..<6) { item in
          let clock = ContinuousClock()
          let own = try await clock.measure { try await Task.sleep(for: .milliseconds(5)) }
          let others = try await clock.measure {
            try await Task.detached {
              try await Task.sleep(nanoseconds: 5_000_000)
              try await Task.sleep(until: .now + .milliseconds(5), clock: .suspending)
            }.value
          }
          return own >= .milliseconds(5) && others >= .milliseconds(9)
        }
        #expect(slept == Array(repeating: true, count: 6))
      }
    }

    @Test(
      "U163: several sleep at once, and who is cancelled is woken",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func sleepers(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let first = try await pool.map(0..<3) { _ in
          try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<20 {
              group.addTask {
                try await Task.sleep(for: .milliseconds(number == 7 ? 10 : 100_000))
                return number
              }
            }
            defer { group.cancelAll() }
            return try await group.next() ?? -1
          }
        }
        #expect(first == [7, 7, 7])
      }
    }
    #endif

    @Test("U163: a pool of tasks runs in a worker that was forked for a closure", .forks, arguments: [Backends.forking])
    func poolOfTasks(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let sums = try await pool.map(0..<4) { item in
          try await withWorkerPool(.tasks(3)) { inner in try await inner.map(0..<100) { $0 * item } }.reduce(0, +)
        }
        #expect(sums == (0..<4).map { 4_950 * $0 })
      }
    }
  }
}
