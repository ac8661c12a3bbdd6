#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

/// What engines did not keep of the table of `WorkEngine`: on every engine, and what only a server can get wrong on that.
extension Checked {
  @Suite struct ContractFaults {
    private static let lease = Duration.milliseconds(600)

    private func isFenced(_ body: () async throws -> Void) async -> Bool {
      do { try await body() } catch EngineError.fenced { return true } catch {}
      return false
    }

    /// Too large for a stream.
    private func large(_ id: UInt64, _ byte: UInt8) -> Work {
      Work(id: id, bytes: [UInt8](repeating: byte, count: 3 << 20))
    }

    /// The next that there is for this agent, however long that takes.
    private func take(_ agent: any WorkEngine, _ name: String) async throws -> Lease {
      while true {
        _ = try await agent.renew([], for: name)
        let leases = try await agent.lease(upTo: 1, for: name, within: .milliseconds(50))
        if let lease = leases.first { return lease }
      }
    }

    // MARK: Leases

    @Test("U200: what is given back is found behind all that others have", arguments: QueueKind.here)
    func behind(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        let other = try await lab.agent("b")
        try await driver.submit((1...40).map { Work(id: $0, bytes: [1]) })
        #expect(try await agent.lease(upTo: 40, for: "a", within: .seconds(1)).count == 40)
        try await agent.release([40], by: "a")
        var taken: [Lease] = []
        for _ in 0..<20 where taken.isEmpty {
          taken = try await other.lease(upTo: 1, for: "b", within: .milliseconds(100))
        }
        #expect(taken == [Lease(Work(id: 40, bytes: [1]), isRepeated: true)])
        // At once, though somebody has just looked in vain.
        #expect(try await other.lease(upTo: 1, for: "b", within: .milliseconds(300)).isEmpty)
        try await agent.release([30, 35], by: "a")
        for id: UInt64 in [30, 35] { #expect(try await take(other, "b").work.id == id) }
      }
    }

    @Test("U200: what an agent has died with is found behind all that others have", arguments: QueueKind.here)
    func behindTheLiving(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver(lease: Self.lease)
        let agent = try await lab.agent("a", lease: Self.lease)
        let dead = try await lab.agent("dead", lease: Self.lease)
        let other = try await lab.agent("b", lease: Self.lease)
        try await driver.submit((1...31).map { Work(id: $0, bytes: [1]) })
        let held = try await agent.lease(upTo: 30, for: "a", within: .seconds(1)).map(\.work.id)
        #expect(try await dead.lease(upTo: 9, for: "dead", within: .seconds(1)).map(\.work.id) == [31])
        var taken: [Lease] = []
        for _ in 0..<60 where taken.isEmpty {
          #expect(try await agent.renew(held, for: "a").refused == [])
          _ = try await other.renew([], for: "b")
          taken = try await other.lease(upTo: 1, for: "b", within: .milliseconds(50))
        }
        #expect(taken.map(\.work.id) == [31])
      }
    }

    // MARK: Two drivers

    @Test("U201: a driver that was fenced off writes and removes nothing of the other's", arguments: QueueKind.here)
    func otherDriver(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let first = try await lab.driver()
        try await first.submit(work(1))
        let second = try await lab.driver()
        try await second.submit([large(2, 2)])
        // The same number, for it goes on behind the same work.
        #expect(await isFenced { try await first.submit([large(2, 1)]) })
        #expect(await isFenced { _ = try await first.results(upTo: 9, within: .milliseconds(20)) })
        #expect(await isFenced { try await first.settle() })
        #expect(await isFenced { try await first.cancel([2]) })
        #expect(await isFenced { try await first.finish() })
        let agent = try await lab.agent("a")
        let leases = try await agent.lease(upTo: 9, for: "a", within: .seconds(10))
        #expect(leases.map(\.work.id) == [1, 2])
        #expect(leases.last?.work == large(2, 2))
        // Nor does it take the result of another's work for its own.
        #expect(try await agent.complete(2, large(2, 3).bytes, by: "a"))
        #expect(await isFenced { _ = try await first.results(upTo: 9, within: .milliseconds(20)) })
        let results = try await second.results(upTo: 9, within: .seconds(10))
        #expect(results == [WorkResult(id: 2, agent: "a", bytes: large(2, 3).bytes)])
        try await second.settle()
        try await second.finish()
        let left = try await lab.leftovers()
        #expect(!left.contains { $0.contains(":work:") || $0.contains(":result:") }, "\(left)")
      }
    }

    @Test(
      "U201: a result that a driver has read is there for the one that takes the job over",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func readResult() async throws {
      try await withLab(.redis) { lab in
        let first = try await lab.driver()
        let agent = try await lab.agent("a")
        try await first.submit(work(1))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        #expect(try await agent.complete(1, large(1, 7).bytes, by: "a"))
        #expect(try await first.results(upTo: 1, within: .seconds(10)).count == 1)
        let second = try await lab.driver()
        #expect(await isFenced { try await first.settle() })
        #expect(await isFenced { try await first.finish() })
        let results = try await second.results(upTo: 1, within: .seconds(10))
        #expect(results == [WorkResult(id: 1, agent: "a", bytes: large(1, 7).bytes)])
      }
    }

    @Test(
      "U201: work whose bytes are gone is nobody's, and missing",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func goneBytes() async throws {
      try await withLab(.redis) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit([large(1, 1)] + work(2))
        let keys = try await lab.leftovers().filter { $0.contains(":work:1:") }
        #expect(keys.count == 1)
        for key in keys { _ = try await lab.ask(["DEL", key]) }
        #expect(try await agent.lease(upTo: 2, for: "a", within: .seconds(1)).map(\.work.id) == [2])
        #expect(try await driver.missing(of: [1, 2]) == [1])
      }
    }

    @Test(
      "U201: no two drivers give out the same numbers, though the queue knows of neither", arguments: QueueKind.here)
    func numbers(_ kind: QueueKind) async throws {
      var ids: Set<UInt64> = []
      for _ in 0..<3 {
        try await withLab(kind) { lab in
          try await withWorkerPool(.cluster(lab.client(), ExternalLauncher(), width: 2)) { pool in
            let map = Task { try await pool.map([1, 2], with: Square(), options: MapOptions(chunking: .size(1))) }
            let agent = lab.client()
            while try await agent.manifest() == nil { try await Task.sleep(for: .milliseconds(5)) }
            try await agent.join(Member(name: "a"))
            for _ in 0..<2 { ids.insert(try await take(agent, "a").work.id) }
            map.cancel()
            _ = await map.result
          }
        }
      }
      #expect(ids.count == 6)
    }

    @Test("U205: a driver that the queue has forgotten does not pass for the next one", arguments: QueueKind.here)
    func forgottenDriver(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let first = try await lab.driver()
        try await lab.forget()
        let second = try await lab.driver()
        #expect(await isFenced { try await first.submit(work(1)) })
        #expect(await isFenced { _ = try await first.open(Manifest().bytes) })
        try await second.submit(work(1))
      }
    }

    @Test(
      "U205: a queue that comes back with what it had before the driver is opened again by it, and not by the one before",
      arguments: QueueKind.here)
    func rememberedDriver(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let first = try await lab.driver()
        try await first.submit(work(1))
        let back = try await lab.past()
        let second = try await lab.driver()
        try await second.submit(work(2))
        try await back()
        await #expect(throws: EngineError.lost) { try await second.submit(work(3)) }
        await #expect(throws: EngineError.lost) { _ = try await second.results(upTo: 1, within: .milliseconds(20)) }
        #expect(try await second.open(Manifest().bytes) == 1)
        #expect(await isFenced { try await first.submit(work(2)) })
        #expect(await isFenced { _ = try await first.open(Manifest().bytes) })
        try await second.submit(work(2, 3))
        let agent = try await lab.agent("a")
        #expect(try await agent.lease(upTo: 9, for: "a", within: .seconds(1)).map(\.work.id) == [1, 2, 3])
      }
    }

    @Test(
      "U205: a queue that has gone back to what it had is opened again by the same driver", arguments: QueueKind.here)
    func goneBack(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        try await driver.change(to: .running)
        let back = try await lab.past()
        try await driver.change(to: .running)
        try await driver.announce(1, [1, 2])
        try await back()
        await #expect(throws: EngineError.lost) { try await driver.change(to: .running) }
        _ = try await driver.open(Manifest().bytes)
        for _ in 0..<3 { try await driver.change(to: .running) }
        try await driver.finish()
        let left = try await lab.leftovers()
        #expect(left.allSatisfy { $0.hasSuffix(":epoch") || $0.hasSuffix(":phase") }, "\(left)")
        let next = try await lab.driver()
        for _ in 0..<3 { try await next.change(to: .running) }
      }
    }

    @Test("U205: a queue that has forgotten the end of a run is told it", arguments: QueueKind.here)
    func forgottenEnd(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        _ = try await lab.driver().resume("run", [1], delivered: [])
        let back = try await lab.past()
        let driver = try await lab.driver()
        #expect(try await driver.resume("run", [1], delivered: []).delivered.isEmpty)
        try await driver.delivered([0, 9], of: "run")
        try await back()
        await #expect(throws: EngineError.lost) { try await driver.delivered([10], of: "run") }
        _ = try await driver.open(Manifest().bytes)
        #expect(try await driver.resume("run", [1], delivered: [0x80, 0x60]).delivered == [0x80, 0x60])
        try await driver.delivered([11], of: "run")
        let next = try await lab.driver()
        #expect(try await next.resume("run", [1], delivered: []).delivered == [0x80, 0x70])
        // Of what it was not begun with nothing is told.
        #expect(try await next.resume("run", [2], delivered: [0xff]).delivered == [0x80, 0x70])
        let left = try await lab.leftovers()
        #expect(!left.contains { $0.contains("scratch") }, "\(left)")
      }
    }

    // MARK: Results

    @Test(
      "U202: a result that comes too late touches nothing of the first, and may be large", arguments: QueueKind.here)
    func late(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        let other = try await lab.agent("b")
        try await driver.submit(work(1))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        #expect(try await agent.complete(1, large(1, 1).bytes, by: "a"))
        // Whose answer was lost asks again, and has not come too late.
        #expect(try await agent.complete(1, large(1, 1).bytes, by: "a"))
        #expect(try await !other.complete(1, large(1, 2).bytes, by: "b"))
        let results = try await driver.results(upTo: 9, within: .seconds(10))
        #expect(results == [WorkResult(id: 1, agent: "a", bytes: large(1, 1).bytes)])
        try await driver.settle()
        #expect(try await !other.complete(1, large(1, 2).bytes, by: "b"))
        let left = try await lab.leftovers()
        #expect(!left.contains { $0.contains(":result:") }, "\(left)")
      }
    }

    // MARK: Who was lost

    @Test("U203: whoever gives back what it has begun is not lost with it", arguments: QueueKind.here)
    func givenBack(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        try await driver.submit(work(7))
        for name in ["a", "b", "c", "d", "e"] {
          let agent = try await lab.agent(name)
          let lease = try await take(agent, name)
          #expect(lease.isRepeated == (name != "a"))
          if lease.isRepeated { #expect(try await agent.started(7, item: 2, by: name) == Losses(0)) }
          try await agent.release([7], by: name)
        }
      }
    }

    @Test("U203: whoever was lost before it was given back is still counted", arguments: QueueKind.here)
    func lostBefore(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver(lease: Self.lease)
        func agent(_ name: String) async throws -> any WorkEngine {
          let agent = try await lab.agent(name, lease: Self.lease)
          #expect(try await take(agent, name).work.id == 7)
          return agent
        }
        try await driver.submit(work(7))
        _ = try await agent("a")
        // It has not begun anything.
        try await agent("b").release([7], by: "b")
        let c = try await agent("c")
        #expect(try await c.started(7, item: 0, by: "c") == Losses(1))
        let d = try await agent("d")
        #expect(try await d.started(7, item: 0, by: "d") == Losses(2, last: "c"))
        try await d.release([7], by: "d")
        let e = try await agent("e")
        #expect(try await e.started(7, item: 0, by: "e") == Losses(2, last: "c"))
        // The one who goes on to the next item is not the one who was lost.
        #expect(try await e.started(7, item: 1, by: "e") == Losses(1, last: "c"))
      }
    }

    @Test("U203: agents that are told to go do not make an item suspect, however many", arguments: QueueKind.here)
    func toldToGo(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        Stays.begun.withLock { $0 = 0 }
        let pool = try WorkerPool(.cluster(lab.client(), ExternalLauncher(), width: 1))
        let map = Task { try await pool.map([3], with: Stays()) }
        for number in 1...5 {
          var options = Agent.Options()
          options.backend = { .threads($0) }
          let agent = Agent(lab.client(), options, logger: Logger(label: "agent"))
          let running = Task { await agent.run() }
          let end = MonotonicTime.now + 10_000_000_000
          while Stays.begun.withLock({ $0 }) < number, MonotonicTime.now < end {
            try await Task.sleep(for: .milliseconds(5))
          }
          #expect(Stays.begun.withLock { $0 } == number)
          if number == 5 {
            let result = await map.result
            #expect(throws: Never.self) { try result.get() }
          }
          agent.leave()
          #expect(await running.value == .told)
        }
        try await pool.terminate()
      }
    }

    @Test("U204: a start that is told of twice, for its answer was lost, counts once", arguments: QueueKind.here)
    func toldTwice(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver(lease: Self.lease)
        let agent = try await lab.agent("a", lease: Self.lease)
        try await driver.submit(work(7))
        _ = try await take(agent, "a")
        #expect(try await take(agent, "a").isRepeated)
        for _ in 0..<3 { #expect(try await agent.started(7, item: 0, by: "a", called: "agent a") == Losses(1)) }
        // Another lease is another start, though the agent is the same.
        _ = try await take(agent, "a")
        for _ in 0..<3 {
          #expect(try await agent.started(7, item: 0, by: "a", called: "agent a") == Losses(2, last: "agent a"))
        }
        for _ in 0..<3 {
          #expect(try await agent.started(7, item: 4, by: "a", called: "agent a") == Losses(1, last: "agent a"))
        }
      }
    }

    // MARK: Connections

    @Test(
      "U206: those that ask at once have one connection",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func oneConnection() async throws {
      try await withLab(.redis) { lab in
        guard let engine = lab.client() as? RedisEngine else { return }
        await withTaskGroup(of: Void.self) { group in
          for _ in 0..<30 { group.addTask { _ = try? await engine.client.ask(["PING"]) } }
        }
        let list = try await engine.client.ask(["CLIENT", "LIST"]).string ?? ""
        #expect(list.split(whereSeparator: \.isNewline).count == 1, "\(list)")
      }
    }

    @Test(
      "U206: a connection that is let go of is no other that has its place",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func dropped() async throws {
      try await withLab(.redis) { lab in
        guard let engine = lab.client() as? RedisEngine else { return }
        // The server has come up.
        _ = try await engine.client.ask(["PING"])
        let first = try await engine.client.connected()
        await first.close()
        let second = try await engine.client.connected()
        #expect(second !== first)
        await engine.client.drop(first)
        #expect(second.isOpen)
        #expect(try await engine.client.connected() === second)
        await engine.client.drop(second)
        #expect(!second.isOpen)
        #expect(try await engine.client.connected() !== second)
      }
    }
  }
}

extension WorkEngine {
  func started(_ id: UInt64, item: Int, by agent: String) async throws -> Losses {
    try await started(id, item: item, by: agent, called: agent)
  }
}

/// Stays with its first four agents until it is told to end, and not with the fifth.
struct Stays: StatelessWorker {
  static let begun = Lock(0)

  func process(_ item: Int) async throws -> Int {
    let count = Self.begun.withLock { begun in
      begun += 1
      return begun
    }
    if count < 5 { try await Task.sleep(for: .seconds(60)) }
    return item
  }
}
#endif
