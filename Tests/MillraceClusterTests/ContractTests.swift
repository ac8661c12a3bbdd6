#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

/// The table of `WorkEngine`, line by line, on every engine.
extension Checked {
  @Suite struct ContractTests {
    @Test("the contract is tried on Redis", .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func isThere() { #expect(QueueKind.here.contains(.redis)) }

    @Test("what is submitted twice is there once, in order", arguments: QueueKind.here)
    func submit(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        try await driver.submit(work(1, 2, 3))
        try await driver.submit(work(2, 3, 4))
        let agent = try await lab.agent("a")
        let leases = try await agent.lease(upTo: 10, for: "a", within: .seconds(1))
        #expect(leases == work(1, 2, 3, 4).map { Lease($0, isRepeated: false) })
        #expect(try await agent.lease(upTo: 10, for: "a", within: .milliseconds(20)).isEmpty)
      }
    }

    @Test("who waits for work gets it when it comes", arguments: QueueKind.here)
    func wait(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        async let leases = agent.lease(upTo: 1, for: "a", within: .seconds(20))
        try await driver.submit(work(1))
        let found = try await leases
        #expect(found.map(\.work.id) == [1])
      }
    }

    @Test("U264: whoever waits in memory is woken, though the queue goes back to what it had or forgets it")
    func waitsThroughThePast() async throws {
      try await withLab(.inMemory) { lab in
        _ = try await lab.driver()
        let agents = (0..<16).map { "agent \($0)" }
        for agent in agents { _ = try await lab.agent(agent) }
        let isOver = Lock(false)
        await withTaskGroup(of: Void.self) { group in
          for agent in agents {
            group.addTask {
              let queue = lab.client()
              while !isOver.withLock({ $0 }) {
                _ = try? await queue.lease(upTo: 1, for: agent, within: .milliseconds(1))
              }
            }
          }
          for _ in 0..<500 {
            let back = try? await lab.past()
            await Task.yield()
            try? await back?()
          }
          try? await lab.forget()
          isOver.withLock { $0 = true }
        }
      }
    }

    @Test("a lease that is over goes to another, and is not renewed", arguments: QueueKind.here)
    func expiry(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(400)
        let driver = try await lab.driver(lease: lease)
        let stopped = try await lab.agent("stopped", lease: lease)
        try await driver.submit(work(1, 2))
        #expect(try await stopped.lease(upTo: 2, for: "stopped", within: .seconds(1)).count == 2)
        #expect(try await stopped.renew([1, 2], for: "stopped").refused == [])

        let other = try await lab.agent("other", lease: lease)
        var taken: [Lease] = []
        while taken.count < 2 {
          taken += try await other.lease(upTo: 2, for: "other", within: .milliseconds(100))
          _ = try await other.renew(taken.map(\.work.id), for: "other")
        }
        #expect(taken.map(\.work.id).sorted() == [1, 2])
        #expect(taken.map(\.isRepeated) == [true, true])
        #expect(try await stopped.renew([1, 2], for: "stopped").refused == [1, 2])
        #expect(try await other.renew([1, 2], for: "other").refused == [])
      }
    }

    @Test("a renewed lease stays", arguments: QueueKind.here)
    func renewal(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(600)
        let driver = try await lab.driver(lease: lease)
        let agent = try await lab.agent("a", lease: lease)
        let other = try await lab.agent("b", lease: lease)
        try await driver.submit(work(1))
        #expect(try await agent.lease(upTo: 1, for: "a", within: .seconds(1)).count == 1)
        for _ in 0..<10 {
          #expect(try await agent.renew([1], for: "a").refused == [])
          _ = try await other.renew([], for: "b")
          #expect(try await other.lease(upTo: 1, for: "b", within: .milliseconds(100)).isEmpty)
        }
      }
    }

    @Test("of two results the first counts", arguments: QueueKind.here)
    func fence(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        #expect(try await agent.complete(1, [1], by: "a"))
        #expect(try await !agent.complete(1, [2], by: "b"))
        let results = try await driver.results(upTo: 10, within: .seconds(1))
        #expect(results == [WorkResult(id: 1, agent: "a", bytes: [1])])
        try await driver.settle()
        #expect(try await driver.results(upTo: 10, within: .milliseconds(20)).isEmpty)
        #expect(try await driver.members().first { $0.name == "a" }?.results == 1)
      }
    }

    @Test("results that come too late are counted, each agent's", arguments: QueueKind.here)
    func late(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let (agent, other) = (try await lab.agent("a"), try await lab.agent("b"))
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 3, for: "a", within: .seconds(1))
        #expect(try await agent.complete(1, [1], by: "a"))
        // Asked again, for the answer was lost, it is in time.
        #expect(try await agent.complete(1, [1], by: "a"))
        #expect(try await !other.complete(1, [2], by: "b"))
        try await driver.cancel([2])
        #expect(try await !agent.complete(2, [1], by: "a"))
        #expect(try await !other.complete(2, [1], by: "b"))
        #expect(try await agent.complete(3, [1], by: "a"))
        #expect(try await driver.members().map(\.lateResults) == [1, 2])
        // When the job is over nothing is counted, and nothing stays.
        for agent in ["a", "b"] { try await driver.leave(agent) }
        try await driver.finish()
        #expect(try await !agent.complete(3, [1], by: "a"))
        let left = try await lab.leftovers()
        #expect(left.allSatisfy { $0.hasSuffix(":phase") || $0.hasSuffix(":epoch") }, "\(left)")
      }
    }

    @Test("what is released goes to another at once", arguments: QueueKind.here)
    func release(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        let other = try await lab.agent("b")
        try await driver.submit(work(1, 2))
        _ = try await agent.lease(upTo: 2, for: "a", within: .seconds(1))
        // What is another's is not released by it.
        try await other.release([1], by: "b")
        #expect(try await agent.renew([1], for: "a").refused == [])
        try await agent.release([2], by: "a")
        var taken: [Lease] = []
        while taken.isEmpty { taken = try await other.lease(upTo: 2, for: "b", within: .milliseconds(300)) }
        #expect(taken.map(\.work) == work(2))
        #expect(try await agent.renew([1, 2], for: "a").refused == [2])
      }
    }

    @Test("starts are counted by item, until the work is done", arguments: QueueKind.here)
    func starts(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(7))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        // Whoever had it before did not say what it began.
        #expect(try await agent.started(7, item: 0, by: "a") == Losses(1))
        #expect(try await agent.started(7, item: 3, by: "b") == Losses(1, last: "a"))
        #expect(try await agent.started(7, item: 3, by: "c") == Losses(2, last: "b"))
        // It had come to its end, or the other would not have begun.
        #expect(try await agent.started(7, item: 0, by: "d").count == 1)
        #expect(try await agent.started(7, item: 3, by: "e") == Losses(3, last: "d"))
        #expect(try await agent.complete(7, [], by: "a"))
        #expect(try await agent.started(7, item: 3, by: "f") == Losses(0))
      }
    }

    @Test("nobody was lost who gave back what he had", arguments: QueueKind.here)
    func givenBack(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(7))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        try await agent.release([7], by: "a")
        #expect(try await agent.started(7, item: 0, by: "b") == Losses(0))
        #expect(try await agent.started(7, item: 0, by: "c") == Losses(1, last: "b"))
      }
    }

    @Test("what is had ahead is had, and nobody is lost with it", arguments: QueueKind.here)
    func ahead(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(400)
        let driver = try await lab.driver(lease: lease)
        let agent = try await lab.agent("a", lease: lease)
        let other = try await lab.agent("b", lease: lease)
        try await driver.submit(work(1, 2, 3, 4, 5))
        #expect(
          try await agent.lease(upTo: 2, ahead: 2, takesSuspect: true, for: "a", within: .seconds(1)).map(\.work)
            == work(1, 2, 3, 4))
        #expect(try await agent.renew([1, 2, 3, 4], for: "a").refused == [])
        #expect(try await other.renew([3], for: "b").refused == [3])
        // As far as what was begun ends, so does what was ahead.
        #expect(try await agent.complete(4, [], by: "a"))
        try await agent.release([2], by: "a")
        #expect(
          try await other.lease(upTo: 0, ahead: 9, takesSuspect: true, for: "b", within: .milliseconds(20)).map(\.work)
            == work(5))
        _ = try await other.renew([5], for: "b")
        var taken: [Lease] = []
        while taken.count < 3 {
          taken += try await other.lease(upTo: 3, for: "b", within: .milliseconds(50))
          _ = try await other.renew([5] + taken.map(\.work.id), for: "b")
        }
        #expect(Set(taken.map(\.work.id)) == [1, 2, 3] && taken.allSatisfy(\.isRepeated))
        // Whoever had the first is counted; the second was given back, and the third hardly begun.
        #expect(try await other.started(1, item: 0, by: "b").count == 1)
        #expect(try await other.started(2, item: 0, by: "b") == Losses(0))
        #expect(try await other.started(3, item: 0, by: "b") == Losses(0))
        #expect(try await agent.renew([3], for: "a").refused == [3])
      }
    }

    @Test("U331: of what two have had before, an agent gets one piece at a time", arguments: QueueKind.here)
    func suspects(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(300)
        let driver = try await lab.driver(lease: lease)
        try await driver.submit(work(1, 2, 3))
        var agent = try await lab.agent("a", lease: lease)
        #expect(try await agent.lease(upTo: 2, for: "a", within: .seconds(1)).count == 2)
        // It is lost with both, and so is the next.
        for name in ["b", "c"] {
          agent = try await lab.agent(name, lease: lease)
          var taken: [Lease] = []
          while taken.filter(\.isRepeated).count < (name == "b" ? 2 : 1) {
            _ = try await agent.renew(taken.map(\.work.id), for: name)
            taken += try await agent.lease(upTo: 3, for: name, within: .milliseconds(50))
          }
          #expect(taken.filter(\.isSuspect).count == (name == "b" ? 0 : 1))
          if name == "b" {
            #expect(try await agent.complete(3, [], by: "b"))
            continue
          }
          // The other is there, for others, and for this one when it takes one.
          let held = taken.map(\.work.id)
          let more = try await agent.lease(
            upTo: 3, ahead: 0, takesSuspect: false, for: name, within: .milliseconds(20))
          #expect(more.isEmpty)
          var other: [Lease] = []
          while other.isEmpty {
            _ = try await agent.renew(held, for: name)
            other = try await agent.lease(upTo: 3, for: name, within: .milliseconds(50))
          }
          #expect(other.map(\.isSuspect) == [true] && Set(held + other.map(\.work.id)) == [1, 2])
        }
      }
    }

    @Test("U332: what an agent has and does not speak of is named", arguments: QueueKind.here)
    func unspoken(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1, 2, 3, 4))
        _ = try await agent.lease(upTo: 2, ahead: 1, takesSuspect: true, for: "a", within: .seconds(1))
        #expect(try await Set(agent.renew([1], for: "a").unspoken) == [2, 3])
        #expect(try await agent.renew([1, 2, 3], for: "a").unspoken == [])
        try await agent.release([2, 3], by: "a")
        #expect(try await agent.renew([1], for: "a").unspoken == [])
      }
    }

    @Test("many results are brought at once, and each counts for itself", arguments: QueueKind.here)
    func manyResults(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 3, for: "a", within: .seconds(1))
        try await driver.cancel([2])
        #expect(try await agent.complete([(1, [1]), (2, [2]), (3, [3])], by: "a") == [true, false, true])
        var results: [WorkResult] = []
        while results.count < 2 { results += try await driver.results(upTo: 9, within: .seconds(1)) }
        #expect(results.map(\.id) == [1, 3] && results.map(\.bytes) == [[1], [3]])
      }
    }

    @Test("what is nowhere is missing", arguments: QueueKind.here)
    func missing(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 2, for: "a", within: .seconds(1))
        #expect(try await agent.complete(1, [], by: "a"))
        // A result, with an agent, queued, and never submitted.
        #expect(try await driver.missing(of: [1, 2, 3, 4]) == [4])
      }
    }

    @Test("members join, leave and are lost", arguments: QueueKind.here)
    func members(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(300)
        let driver = try await lab.driver(lease: lease)
        #expect(try await driver.members().isEmpty)
        let agent = try await lab.agent("a", lease: lease)
        var second = Member(name: "b")
        (second.host, second.process, second.slots) = ("host", 17, 4)
        second.refusal = "build: another"
        try await agent.join(second)
        #expect(try await driver.members().map(\.name) == ["a", "b"])
        #expect(try await driver.members().last == second)
        try await agent.leave("b")
        var members = try await driver.members()
        #expect(members.map(\.name) == ["a"])
        while members.first?.isAlive == true {
          try await Task.sleep(for: .milliseconds(20))
          members = try await driver.members()
        }
        #expect(members.map(\.isAlive) == [false])
      }
    }

    @Test("what is cancelled is nobody's", arguments: QueueKind.here)
    func cancel(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        try await driver.cancel([1, 2])
        #expect(try await agent.renew([1], for: "a").refused == [1])
        #expect(try await !agent.complete(1, [], by: "a"))
        #expect(try await agent.lease(upTo: 9, for: "a", within: .seconds(1)).map(\.work.id) == [3])
        #expect(try await driver.results(upTo: 1, within: .milliseconds(20)).isEmpty)
      }
    }

    @Test("agents hear what they are to do, and that the driver is gone", arguments: QueueKind.here)
    func phases(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(400)
        let agent = lab.client(lease: lease)
        #expect(try await agent.manifest() == nil)
        let driver = try await lab.driver(lease: lease)
        #expect(try await agent.manifest() == Manifest().bytes)
        try await agent.join(Member(name: "a"))
        #expect(try await agent.renew([], for: "a") == Renewal(refused: [], phase: .running))
        try await driver.change(to: .draining)
        #expect(try await agent.renew([], for: "a").phase == .draining)
        while try await agent.renew([], for: "a").phase != nil { try await Task.sleep(for: .milliseconds(20)) }
        try await driver.change(to: .running)
        #expect(try await agent.renew([], for: "a").phase == .running)
      }
    }

    @Test("nothing is left of a job that is over, but the word that it is", arguments: QueueKind.here)
    func finish(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.announce(1, [1, 2])
        #expect(try await agent.announcement(of: 1) == [1, 2])
        #expect(try await agent.announcement(of: 2) == nil)
        try await driver.submit(work(1, 2))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        _ = try await agent.started(1, item: 0, by: "a")
        _ = try await agent.complete(1, [1], by: "a")
        try await driver.finish()
        #expect(try await agent.renew([2], for: "a").phase == .finished)
        try await agent.leave("a")
        let left = try await lab.leftovers()
        #expect(left.allSatisfy { $0.hasSuffix(":epoch") || $0.hasSuffix(":phase") }, "\(left)")
      }
    }

    @Test("a second driver fences the first off", arguments: QueueKind.here)
    func epoch(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let first = try await lab.driver()
        try await first.submit(work(1, 2))
        let second = lab.client()
        // It goes on behind what is there.
        #expect(try await second.open(Manifest().bytes) == 2)
        func isFenced(_ body: () async throws -> Void) async -> Bool {
          do { try await body() } catch EngineError.fenced { return true } catch {}
          return false
        }
        #expect(await isFenced { try await first.submit(work(3)) })
        #expect(await isFenced { try await first.cancel([1]) })
        #expect(await isFenced { try await first.change(to: .finished) })
        #expect(await isFenced { try await first.finish() })
        #expect(await isFenced { _ = try await first.open(Manifest().bytes) })
        try await second.submit(work(3))
        let agent = try await lab.agent("a")
        #expect(try await agent.lease(upTo: 9, for: "a", within: .seconds(1)).map(\.work.id) == [1, 2, 3])
      }
    }

    @Test("an agent that is drained hears it, and no other", arguments: QueueKind.here)
    func drain(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await agent.join(Member(name: "b"))
        #expect(try await lab.client().drain(["a", "x"]) == ["a"])
        #expect(try await agent.renew([], for: "a").phase == .draining)
        #expect(try await agent.renew([], for: "b").phase == .running)
        #expect(try await driver.members().map(\.isDraining) == [true, false])
        try await agent.leave("a")
        // Its driver can see why it has left; whoever comes later has work.
        #expect(try await driver.drained() == ["a"])
        try await agent.join(Member(name: "c"))
        #expect(try await agent.renew([], for: "c").phase == .running)
        #expect(try await driver.members().map(\.isDraining) == [false, false])
      }
    }

    @Test("nothing is left of a job that is cleaned, and one with a driver is not", arguments: QueueKind.here)
    func clean(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(300)
        let driver = try await lab.driver(lease: lease)
        let agent = try await lab.agent("a", lease: lease)
        try await driver.submit([Work(id: 1, bytes: [UInt8](repeating: 1, count: 3 << 20))])
        _ = try await driver.resume("run", [1], delivered: [])
        let keeper = lab.client()
        await #expect(throws: EngineError.live("its driver is there")) { try await keeper.clean() }
        #expect(try await agent.lease(upTo: 1, for: "a", within: .seconds(1)).count == 1)
        while try await agent.renew([1], for: "a").phase != nil { try await Task.sleep(for: .milliseconds(20)) }
        #expect(try await keeper.clean() >= 3)
        #expect(try await keeper.clean() == 0)
        #expect(try await lab.leftovers().isEmpty)
        // A driver that was only stopped finds that it is forgotten.
        await #expect(throws: EngineError.lost) { try await driver.submit(work(2)) }
      }
    }

    @Test("which items of a run were delivered outlives its driver", arguments: QueueKind.here)
    func runs(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        func isSet(_ bits: [UInt8]) -> [Int] { (0..<100).filter { DeliveredItems.isSet($0, in: bits) } }
        let first = try await lab.driver()
        let begun = try await first.resume("run", [1, 10, 2], delivered: [])
        #expect(begun.head == [1, 10, 2] && begun.delivered.isEmpty)
        try await first.delivered([0, 3], of: "run")
        try await first.delivered([17], of: "run")
        await #expect(throws: EngineError.lost) { try await first.delivered([1], of: "another") }

        let second = try await lab.driver()
        func isFenced(_ body: () async throws -> Void) async -> Bool {
          do { try await body() } catch EngineError.fenced { return true } catch {}
          return false
        }
        #expect(await isFenced { try await first.delivered([5], of: "run") })
        #expect(await isFenced { _ = try await first.resume("run", [], delivered: []) })
        #expect(await isFenced { try await first.forget("run") })
        // What it was begun with is for the driver to compare.
        let found = try await second.resume("run", [9], delivered: [])
        #expect(found.head == [1, 10, 2] && isSet(found.delivered) == [0, 3, 17])
        try await second.finish()

        let third = try await lab.driver()
        try await third.delivered([4], of: "run")
        let kept = try await third.resume("run", [1, 10, 2], delivered: [])
        #expect(isSet(kept.delivered) == [0, 3, 4, 17])
        try await lab.forget()
        await #expect(throws: EngineError.lost) { try await third.delivered([5], of: "run") }
        _ = try await third.open(Manifest().bytes)
        await #expect(throws: EngineError.lost) { try await third.delivered([5], of: "run") }
        _ = try await third.resume("run", [1, 10, 2], delivered: kept.delivered)
        try await third.delivered([5], of: "run")
        #expect(try await isSet(third.resume("run", [], delivered: []).delivered) == [0, 3, 4, 5, 17])
        try await third.forget("run")
        #expect(try await third.resume("run", [7], delivered: []).delivered.isEmpty)
      }
    }

    @Test("a queue that has forgotten everything is opened again", arguments: QueueKind.here)
    func forgetting(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 1, for: "a", within: .seconds(1))
        try await lab.forget()
        await #expect(throws: EngineError.lost) { try await driver.submit(work(4)) }
        #expect(try await !agent.complete(1, [], by: "a"))
        #expect(try await driver.open(Manifest().bytes) == 0)
        #expect(try await !agent.renew([1], for: "a").isMember)
        try await agent.join(Member(name: "a"))
        try await driver.submit(work(1, 2, 3, 4))
        #expect(try await agent.lease(upTo: 9, for: "a", within: .seconds(1)).map(\.work.id) == [1, 2, 3, 4])
      }
    }

    @Test("large work and large results", arguments: QueueKind.here)
    func large(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let driver = try await lab.driver()
        let agent = try await lab.agent("a")
        let bytes = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await driver.submit([Work(id: 1, bytes: bytes)])
        let leases = try await agent.lease(upTo: 1, for: "a", within: .seconds(10))
        #expect(leases == [Lease(Work(id: 1, bytes: bytes), isRepeated: false)])
        #expect(try await agent.complete(1, bytes.reversed(), by: "a"))
        let results = try await driver.results(upTo: 1, within: .seconds(10))
        #expect(results == [WorkResult(id: 1, agent: "a", bytes: bytes.reversed())])
        try await driver.settle()
        let left = try await lab.leftovers()
        #expect(!left.contains { $0.contains(":work:") || $0.contains(":result:") }, "\(left)")
      }
    }
  }
}
#endif
