#if Cluster
import Logging
import Millrace
import MillraceIPC
import TestSupport
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Counts its set-ups, which fail as long as that is so.
private struct Brittle: Worker, Codable {
  static let tries = Lock(0)
  static let isBroken = Lock(true)

  func setUp(_ context: WorkerContext) throws {
    Self.tries.withLock { $0 += 1 }
    if Self.isBroken.withLock({ $0 }) { throw Broken() }
  }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

private struct Broken: Error {}

/// Tells a closure.
private struct Reporting: ProgressReporter {
  let tell: @Sendable (ProgressState) -> Void
  func report(_ state: ProgressState) { tell(state) }
}

/// What a user met who broke things on purpose: what is left behind, what failed before, and what is said of it.
extension Checked {
  @Suite(.serialized)
  struct SecondDayFaults {
    private func withPool(_ lab: QueueLab, width: Int, _ body: (WorkerPool) async throws -> Void) async throws {
      let launcher = HereLauncher(2) {
        var options = Agent.Options()
        options.backend = { .threads($0) }
        return Agent(lab.client(lease: .seconds(2)), options, logger: Logger(label: "agent"))
      }
      try await withWorkerPool(.cluster(lab.client(lease: .seconds(2)), launcher, width: width)) { try await body($0) }
    }

    @Test(
      "U337: whatever is made in a queue expires, though nobody who made it lives to say so, and can be cleaned",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"), .timeLimit(.minutes(1)))
    func expires() async throws {
      try await withLab(.redis) { lab in
        let driver = try await lab.driver()
        try await driver.announce(1, [1])
        try await driver.submit(work(1, 2, 3))
        let agent = try await lab.agent("a")
        let leases = try await agent.lease(upTo: 3, ahead: 0, takesSuspect: true, for: "a", within: .seconds(1))
        #expect(leases.count == 3)
        _ = try await agent.started(1, item: 0, by: "a", called: "a")
        #expect(try await agent.complete(1, [0], by: "a"))
        #expect(try await !agent.complete(1, [0], by: "b"))
        try await agent.release([2], by: "a")
        _ = try await agent.drain(["a"])
        let keys = try await lab.leftovers()
        for name in ["epoch", "in", "out", "manifest", "phase", "workers", "members", "counts", "late", "drains"] {
          #expect(keys.contains("millrace:{lab}:\(name)"))
        }
        for key in keys {
          let left = try #require(try await lab.ask(["PTTL", key]).integer)
          #expect(left > 0 && left <= RedisKeys.life, "\(key): \(left)")
        }
        // What is found by its phase alone is not found when that is gone.
        _ = try await lab.ask(["DEL", "millrace:{lab}:phase", "millrace:{lab}:driver"])
        let keeper = try #require(lab.client() as? RedisEngine)
        #expect(try await keeper.jobs() == ["lab"])
        #expect(try await keeper.clean() > 0)
        #expect(try await lab.leftovers().isEmpty)
      }
    }

    @Test(
      "U338, U357: a worker that no agent can have is tried by each, whatever the width, and anew for the next map",
      .timeLimit(.minutes(1)), arguments: QueueKind.here)
    func hopeless(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab, width: 64) { pool in
          Brittle.isBroken.withLock { $0 = true }
          Brittle.tries.withLock { $0 = 0 }
          let error = await #expect(throws: WorkerPoolError.self) { try await pool.map(0..<4, with: Brittle()) }
          #expect(error?.kind == .setUpFailed)
          // Three times in each of two slots, for chunks that are there already when the first hear of it: 64 places would be 192.
          let tries = Brittle.tries.withLock { $0 }
          #expect(tries >= 6 && tries <= 48, "\(tries)")
          Brittle.isBroken.withLock { $0 = false }
          let outputs = try await pool.map(0..<4, with: Brittle())
          #expect(outputs == [0, 1, 2, 3])
        }
      }
    }

    @Test(
      "U339: an agent whose queue stays away has failed, and says so",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"), .timeLimit(.minutes(1)))
    func queueAway() async throws {
      let lab = try QueueLab(.redis)
      let lease = Duration.milliseconds(500)
      let driver = try await lab.driver(lease: lease)
      let address = try #require(lab.server).address
      let engine = RedisEngine(address, job: lab.job, lease: lease, patience: lease)
      var options = Agent.Options()
      options.backend = { .threads($0) }
      let agent = Agent(engine, options, logger: Logger(label: "agent"))
      let run = Task { await agent.run() }
      while try await driver.members().isEmpty { try await Task.sleep(for: .milliseconds(20)) }
      await lab.server?.end()
      let end = await run.value
      if case .failed(let why) = end { #expect(why.contains("cannot be reached")) } else { Issue.record("\(end)") }
      await lab.end()
    }

    @Test("U358: items have worked no longer than there was time in the slots of the agents", .timeLimit(.minutes(1)))
    func worked() async throws {
      try await withLab(.inMemory) { lab in
        try await withPool(lab, width: 64) { pool in
          pool.recordInsights()
          let begun = ContinuousClock.now
          _ = try await pool.map(0..<2_000, with: Square(), options: MapOptions(chunking: .size(1)))
          let time = ContinuousClock.now - begun
          let insights = pool.insights
          #expect(insights.total.items == 2_000)
          #expect(insights.total.times.working > .zero)
          #expect(insights.total.times.working <= time * 2)
        }
      }
    }

    @Test("U359: the first that is told of a run that goes on has in it what was delivered", arguments: QueueKind.here)
    func progress(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let items = 2_000
        try await withPool(lab, width: 4) { pool in
          var count = 0
          for try await _ in pool.outcomes(of: 0..<items, with: Square(), resuming: "squares") {
            count += 1
            if count == 1_000 { break }
          }
        }
        try await withPool(lab, width: 4) { pool in
          let seen = Lock<[Int]>([])
          let options = MapOptions(
            window: .items(8), progress: .custom(Reporting { state in seen.withLock { $0.append(state.done) } }))
          for try await _ in pool.outcomes(of: 0..<items, with: Square(), resuming: "squares", options: options) {}
          let done = seen.withLock { $0 }
          // The one that was in hand is not noted.
          #expect(try #require(done.first) >= 999)
          #expect(done == done.sorted() && done.last == items)
        }
      }
    }
  }
}
#endif
