#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

extension Checked {
  /// U295: whoever ends does not wait for those that may never answer.
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct FarewellTests {
    @Test("U295: a pool whose agent stands still ends soon, and so does the agent's process")
    func stoppedAgent() async throws {
      let lease = Duration.milliseconds(400)
      let pool = try WorkerPool(.cluster(engine: .managed, launch: .local(agents: 2), lease: lease))
      let places = try await pool.map(0..<60, with: SlowPlaces(), options: MapOptions(chunking: .size(1)))
      let agents = Set(places.map(\.process))
      #expect(agents.count == 2)
      let stopped = try #require(agents.first)
      kill(stopped, SIGSTOP)
      while pool.snapshot.members.count > 1 { try await Task.sleep(for: .milliseconds(5)) }
      let begun = ContinuousClock.now
      try await pool.shutdown()
      #expect(ContinuousClock.now - begun < .seconds(7))
      for agent in agents { #expect(kill(agent, 0) != 0) }
    }

    @Test("U295: a pool whose server stands still ends soon")
    func stoppedServer() async throws {
      let server = try ManagedServer()
      let process = try #require(child(named: "redis-server"))
      let pool = try WorkerPool(
        .cluster(engine: .redis(server.address.url), launch: .local(agents: 1), lease: .seconds(20)))
      let squares = try await pool.map(0..<10, with: Square())
      #expect(squares == (0..<10).map { $0 * $0 })
      kill(process, SIGSTOP)
      let begun = ContinuousClock.now
      try await pool.shutdown()
      #expect(ContinuousClock.now - begun < .seconds(9))
      kill(process, SIGCONT)
      await server.end()
    }

    @Test("U295: an agent that is told to go ends soon, though the server stands still")
    func toldAgent() async throws {
      let server = try ManagedServer()
      let process = try #require(child(named: "redis-server"))
      let driver = RedisEngine(server.address, job: "told")
      _ = try await driver.open(Manifest().bytes)
      try await driver.change(to: .running)
      var settings = AgentSettings(url: server.address.url, job: "told")
      settings.isTethered = true
      let (ends, gone) = (Lock<TetheredProcess.End?>(nil), TaskBell())
      let agent = try TetheredProcess(
        ["/proc/self/exe"], adding: ["\(AgentSettings.variable)=stdin"], text: settings.text
      ) { end in
        ends.withLock { $0 = end }
        gone.ring()
      }
      while try await driver.members().isEmpty { try await Task.sleep(for: .milliseconds(5)) }
      kill(process, SIGSTOP)
      let begun = ContinuousClock.now
      kill(agent.id, SIGTERM)
      await gone.waitForRing()
      #expect(ContinuousClock.now - begun < .seconds(7))
      kill(process, SIGCONT)
      await driver.close()
      await server.end()
    }
  }
}
#endif
