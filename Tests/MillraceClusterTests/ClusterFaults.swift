#if Cluster
import Logging
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// F76: what a cluster has to survive, on real servers and agents. After each, every index is there exactly once, and nothing is left.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct ClusterFaults {
    private static let lease = Duration.milliseconds(800)

    /// Runs items that take a while on two agents; `harm` is told of each output.
    private func survive(
      _ count: Int = 60, server: ManagedServer? = nil, _ harm: (Int, Whereabouts.Place) async throws -> Void
    ) async throws {
      let server = try server ?? ManagedServer()
      do {
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(server.address.url), launch: .local(agents: 2), lease: Self.lease)
        try await withWorkerPool(backend) { pool in
          var indices: [Int] = []
          for try await place in pool.outputs(
            of: 0..<count, with: SlowPlaces(), order: .completion, options: MapOptions(chunking: .size(1)))
          {
            indices.append(place.index)
            try await harm(indices.count, place)
          }
          #expect(indices.sorted() == Array(0..<count))
        }
      } catch {
        await server.end()
        throw error
      }
      await server.end()
    }

    @Test("F76: an agent that is killed with what it has costs nothing")
    func killed() async throws {
      try await survive { count, place in if count == 15 { kill(place.process, SIGKILL) } }
    }

    @Test("F76: agents that are killed one after the other cost nothing")
    func killedOften() async throws {
      var last: Int32 = 0
      try await survive(90) { count, place in
        guard count % 30 == 15, place.process != last else { return }
        last = place.process
        kill(last, SIGKILL)
      }
    }

    @Test("F76: an agent that is stopped for longer than its lease brings nothing twice")
    func stopped() async throws {
      var stopped: Int32 = 0
      try await survive(120) { count, place in
        if count == 15 {
          stopped = place.process
          kill(stopped, SIGSTOP)
        }
        if count == 100 { kill(stopped, SIGCONT) }
      }
    }

    @Test("F76: an agent that is told to go gives back what it has")
    func told() async throws {
      try await survive { count, place in if count == 15 { kill(place.process, SIGTERM) } }
    }

    @Test("F76: a server without persistence is killed, and comes back with nothing")
    func serverKilled() async throws {
      let server = try ManagedServer()
      let second = Lock<ManagedServer?>(nil)
      do {
        try await survive(server: server) { count, _ in
          guard count == 15 else { return }
          await server.end()
          try await Task.sleep(for: .milliseconds(300))
          let again = try ManagedServer(port: server.address.port, password: server.address.password)
          second.withLock { $0 = again }
        }
      } catch {
        await second.withLock { $0 }?.end()
        throw error
      }
      await second.withLock { $0 }?.end()
    }

    @Test(
      "U205: a server is killed, and comes back with what it had written down: before the program began, and in its midst",
      arguments: [1, 20])
    func serverGoesBack(_ saved: Int) async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      let more = ["dir \(folder)", "dbfilename dump"]
      let server = try ManagedServer(more: more)
      let second = Lock<ManagedServer?>(nil)
      func save() async throws {
        let engine = RedisEngine(server.address, job: "night")
        _ = try await engine.client.ask(["SAVE"])
        await engine.close()
      }
      let result: Result<[Int], any Error>
      do {
        // A program that was killed has had the job.
        let gone = RedisEngine(server.address, job: "night")
        _ = try await gone.open(Manifest().bytes)
        try await gone.submit(work(1, 2))
        await gone.close()
        if saved == 1 { try await save() }
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(server.address.url, job: "night"), launch: .local(agents: 2), lease: Self.lease)
        result = .success(
          try await withWorkerPool(backend) { pool in
            var indices: [Int] = []
            // One that was announced long ago, and one that was not.
            _ = try await pool.map([1], with: Square())
            for try await place in pool.outputs(
              of: 0..<80, with: SlowPlaces(), order: .completion, options: MapOptions(chunking: .size(1)))
            {
              indices.append(place.index)
              if indices.count == saved, saved > 1 { try await save() }
              guard indices.count == 40 else { continue }
              await server.end()
              let again = try ManagedServer(
                port: server.address.port, password: server.address.password, more: more)
              second.withLock { $0 = again }
            }
            return indices
          })
      } catch { result = .failure(error) }
      await server.end()
      await second.withLock { $0 }?.end()
      #expect(try result.get().sorted() == Array(0..<80))
    }

    @Test("F76: the scripts are forgotten in mid-run")
    func scripts() async throws {
      let server = try ManagedServer()
      let engine = RedisEngine(server.address, job: "other")
      try await survive(server: server) { count, _ in
        if count == 15 || count == 30 { _ = try await engine.client.ask(["SCRIPT", "FLUSH"]) }
      }
      await engine.close()
    }

    @Test("F76: a server stands still for longer than a lease, and goes on")
    func serverStopped() async throws {
      let server = try ManagedServer()
      let process = try #require(child(named: "redis-server"))
      try await survive(server: server) { count, _ in
        guard count == 15 else { return }
        kill(process, SIGSTOP)
        try await Task.sleep(for: Self.lease * 2)
        kill(process, SIGCONT)
      }
    }

    @Test("F76: a server takes no writes for a while, for it is another's copy (READONLY)")
    func serverReadsOnly() async throws {
      let server = try ManagedServer()
      let engine = RedisEngine(server.address, job: "other")
      let port = try ManagedServer.freePort()
      try await survive(server: server) { count, _ in
        guard count == 15 else { return }
        _ = try await engine.client.ask(["REPLICAOF", "127.0.0.1", "\(port)"])
        try await Task.sleep(for: Self.lease)
        _ = try await engine.client.ask(["REPLICAOF", "NO", "ONE"])
      }
      await engine.close()
    }

    @Test("F76: what a server says that means \"not yet\" is waited out, and nothing else")
    func notYet() async throws {
      let server = try ManagedServer()
      let engine = RedisEngine(server.address, job: "other", patience: .seconds(10))
      let script = """
        if redis.call('INCR', KEYS[1]) < 3 then return redis.error_reply(ARGV[1]) end
        return 'there'
        """
      for text in [
        "LOADING Redis is loading the dataset in memory", "READONLY You can't write against a read only replica.",
        "MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381", "TRYAGAIN Multiple keys request",
        "CLUSTERDOWN The cluster is down", "MASTERDOWN Link with MASTER is down", "NOREPLICAS Not enough good replicas",
      ] {
        let answer = try await engine.client.ask(["EVAL", script, "1", "tries of \(text.prefix(5))", text])
        #expect(answer.string == "there", "\(text)")
      }
      await #expect(throws: EngineError.self) {
        try await engine.client.ask(["EVAL", script, "1", "tries of others", "WRONGTYPE of value"])
      }
      #expect(try await engine.client.ask(["GET", "tries of others"]).string == "1")
      await engine.close()
      await server.end()
    }

    @Test("F76: a server is killed that writes everything down, and comes back with all of it")
    func serverWrites() async throws {
      let folder = try Files.folder()
      defer {
        Files.remove("\(folder)/appendonlydir")
        Files.remove(folder)
      }
      try await restart(["dir \(folder)", "appendonly yes", "appendfsync always"], []) { _ in }
    }

    @Test("F76: a server comes back that takes its time to read what it had (LOADING)")
    func serverLoads() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      // A key in 20 milliseconds, and it answers between them.
      let slow = ["key-load-delay 20000", "loading-process-events-interval-bytes 1024"]
      try await restart(["dir \(folder)", "dbfilename dump"], slow) { server in
        let engine = RedisEngine(server.address, job: "other")
        for number in 0..<50 {
          _ = try await engine.client.ask(["SET", "padding \(number)", String(repeating: "\(number) ", count: 2_000)])
        }
        _ = try await engine.client.ask(["SAVE"])
        await engine.close()
      }
    }

    /// A server is killed in mid-run, and started again with these settings, and more.
    private func restart(
      _ settings: [String], _ more: [String], before: (ManagedServer) async throws -> Void
    ) async throws {
      let server = try ManagedServer(more: settings)
      let second = Lock<ManagedServer?>(nil)
      let result: Result<Void, any Error>
      do {
        try await survive(server: server) { count, _ in
          guard count == 15 else { return }
          try await before(server)
          await server.end()
          let again = try ManagedServer(
            port: server.address.port, password: server.address.password, more: settings + more)
          second.withLock { $0 = again }
        }
        result = .success(())
      } catch { result = .failure(error) }
      await second.withLock { $0 }?.end()
      try result.get()
    }

    @Test("F76: an item that kills its agents fails alone, when it has had its chances")
    func poison() async throws {
      let backend = WorkerPool.Backend.cluster(engine: .managed, launch: .local(agents: 2), lease: .milliseconds(500))
      try await withWorkerPool(backend) { pool in
        let items = ["a", "b", "kill the agent", "c", "d", "e"]
        var found: [String] = []
        for try await outcome in pool.outcomes(of: items, with: Mischief(), options: MapOptions(chunking: .size(3))) {
          switch outcome.result {
          case .success(let text): found.append(text)
          case .failure(let failure):
            guard case .quarantined(3, _) = failure.cause else {
              Issue.record("\(failure)")
              continue
            }
            found.append("failed \(failure.index)")
          }
        }
        #expect(found == ["A", "B", "failed 2", "C", "D", "E"])
      }
    }

    @Test("F76: a wrong password ends the map at once, and says so")
    func wrongPassword() async throws {
      let server = try ManagedServer()
      var address = server.address
      address.password = "wrong"
      let backend = WorkerPool.Backend.cluster(engine: .redis(address.url), launch: .local(agents: 1))
      let clock = ContinuousClock()
      let begun = clock.now
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "password"), "\(String(describing: error))")
      #expect(!says(error, "wrong"))
      #expect(clock.now - begun < .seconds(10))
      await server.end()
    }

    @Test("F76: a server that would drop work is refused, with the setting's name")
    func eviction() async throws {
      let server = try ManagedServer(more: ["maxmemory-policy allkeys-lru"])
      let backend = WorkerPool.Backend.cluster(engine: .redis(server.address.url), launch: .local(agents: 1))
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "maxmemory-policy"), "\(String(describing: error))")
      await server.end()
    }

    @Test("F76: nobody at the server's address ends the map within its patience")
    func noServer() async throws {
      let port = try ManagedServer.freePort()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis("redis://127.0.0.1:\(port)"), launch: .local(agents: 1), patience: .milliseconds(500))
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "cannot be reached"), "\(String(describing: error))")
    }

    @Test("F76: agents end when their driver is not heard of any more", arguments: QueueKind.here)
    func driverGone(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let lease = Duration.milliseconds(400)
        // It opens the job, and says nothing after that.
        _ = try await lab.driver(lease: lease)
        var options = Agent.Options()
        options.backend = { .threads($0) }
        let agent = Agent(lab.client(lease: lease), options, logger: Logger(label: "agent"))
        #expect(await agent.run() == .driverGone)
      }
    }

    @Test("F76: an agent whose tether is let go of gives its leases back, and ends")
    func tether() async throws {
      try await withLab(.redis) { lab in
        guard let server = lab.server else { return }
        let lease = Duration.seconds(20)
        let driver = try await lab.driver(lease: lease)
        var settings = AgentSettings(url: server.address.url, job: lab.job)
        (settings.isTethered, settings.leaseMilliseconds) = (true, 20_000)
        let ended = TaskBell()
        let end = Lock<TetheredProcess.End?>(nil)
        let process = try TetheredProcess(
          ["/proc/self/exe"], adding: ["\(AgentSettings.variable)=stdin"], text: settings.text
        ) { how in
          end.withLock { $0 = how }
          ended.ring()
        }
        while try await driver.members().isEmpty { try await Task.sleep(for: .milliseconds(10)) }
        process.letGo()
        await ended.waitForRing()
        guard case .exited(0)? = end.withLock({ $0 }) else {
          Issue.record("\(String(describing: end.withLock { $0 }))")
          return
        }
        #expect(try await driver.members().isEmpty)
      }
    }
  }
}

/// As `Whereabouts`, slowly.
struct SlowPlaces: StatelessWorker {
  func process(_ item: Int) async throws -> Whereabouts.Place {
    try await Task.sleep(for: .milliseconds(20))
    return Whereabouts().process(item)
  }
}
#endif
