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

/// `millrace cluster drain` and `clean`, on a real server.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct CareTests {
    private static let millrace = "\(Files.built)/millrace cluster"

    @Test("a drained agent finishes what it has, ends, and is not launched again")
    func drain() async throws {
      let server = try ManagedServer()
      let heard = Heard()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "night"), launch: .local(agents: 2), lease: .seconds(2))
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        var indices: [Int] = []
        for try await place in pool.outputs(
          of: 0..<80, with: SlowPlaces(), order: .completion, options: MapOptions(chunking: .size(1)))
        {
          indices.append(place.index)
          #expect(place.attempt == 1)
          guard indices.count == 15 else { continue }
          let engine = RedisEngine(server.address, job: "night")
          let all = try await engine.members()
          let name = try #require(all.first?.name)
          let said = try Files.output(
            of: "\(Self.millrace) drain \(server.address.url) --job night --agent \(name) --wait 2>&1")
          #expect(said == "job night: \(name) ended\n")
          #expect(try await engine.members().map(\.name) == all.map(\.name).filter { $0 != name })
          let other = try Files.output(
            of: "\(Self.millrace) drain \(server.address.url) --job night --agent \(name) 2>&1")
          #expect(other.contains("job night has no such agent"), "\(other)")
          await engine.close()
        }
        #expect(indices.sorted() == Array(0..<80))
        #expect(heard.messages.count { $0.hasPrefix("an agent has joined") } == 2, "\(heard.messages)")
        #expect(heard.messages.contains("an agent is to finish what it has, and to end"))
        #expect(!heard.messages.contains { $0.contains("is lost") })

        // U242: when none is left, and none will come, a map says why. What nobody has run has not failed.
        let error = await #expect(throws: WorkerPoolError.self) {
          for try await outcome in pool.outcomes(
            of: 0..<1_000, with: Slow(pause: .milliseconds(20)), options: MapOptions(chunking: .size(1)))
          where try outcome.output == 3 {
            _ = try Files.output(of: "\(Self.millrace) drain \(server.address.url) --job night 2>&1")
          }
        }
        #expect(says(error, "they were drained"), "\(String(describing: error))")
      }
      await server.end()
    }

    @Test("clean removes what a dead driver has left, and nothing of one that lives")
    func clean() async throws {
      try await withLab(.redis) { lab in
        guard let server = lab.server else { return }
        let url = server.address.url
        let lease = Duration.seconds(2)
        let driver = try await lab.driver(lease: lease)
        try await driver.submit(work(1, 2))
        try await driver.change(to: .running)
        _ = try await driver.resume("run", [1], delivered: [])
        try await driver.delivered([0, 17, 400], of: "run")
        #expect(try Files.output(of: "\(Self.millrace) status \(url) 2>&1").contains("\nrun run: 3 items delivered\n"))
        let json = try Files.output(of: "\(Self.millrace) status \(url) --json 2>&1")
        #expect(json.contains(#""runs":{"run":3},"agents":["#), "\(json)")
        try await driver.change(to: .running)
        #expect(try Files.output(of: "\(Self.millrace) clean \(url) --job lab 2>&1").contains("the job is under way"))
        try await driver.change(to: .running)
        #expect(try Files.output(of: "\(Self.millrace) clean \(url) --job 'l*b' 2>&1").contains("cannot be the name"))
        while try await lab.ask(["EXISTS", "millrace:{lab}:driver"]).integer == 1 {
          try await Task.sleep(for: .milliseconds(20))
        }
        #expect(try Files.output(of: "\(Self.millrace) clean \(url) 2>&1") == "job lab: may go on, left alone\n")
        #expect(try await !lab.leftovers().isEmpty)
        let said = try Files.output(of: "\(Self.millrace) clean \(url) --job lab 2>&1")
        #expect(said.hasPrefix("job lab: ") && said.hasSuffix(" keys removed\n"), "\(said)")
        #expect(try await lab.leftovers().isEmpty)
        #expect(try Files.output(of: "\(Self.millrace) clean \(url) --job lab 2>&1").contains("there is no job lab"))
      }
    }

    @Test("U209: a driver that begins while its job is cleaned keeps what it has")
    func cleaning() async throws {
      try await withLab(.redis) { lab in
        // To look through these takes a while.
        _ = try await lab.ask(["EVAL", "for i = 1, 50000 do redis.call('SET', 'x' .. i, i) end", "0"])
        guard let watcher = lab.client() as? RedisEngine else { return }
        for _ in 0..<5 {
          let gone = try await lab.driver(lease: .milliseconds(100))
          try await gone.submit(work(1))
          while try await watcher.client.ask(["EXISTS", "millrace:{lab}:driver"]).integer == 1 {
            try await Task.sleep(for: .milliseconds(10))
          }
          let (keeper, driver) = (lab.client(), lab.client())
          let cleaning = Task { try await keeper.clean() }
          while try await watcher.client.ask(["EXISTS", "millrace:{lab}:manifest"]).integer == 1 {}
          #expect(try await driver.open(Manifest().bytes) == 0)
          try await driver.submit([Work(id: 1, bytes: [UInt8](repeating: 1, count: 3 << 20))])
          _ = try await driver.resume("run", [1], delivered: [])
          #expect(try await cleaning.value >= 4)
          try await driver.delivered([0], of: "run")
          let agent = try await lab.agent("a")
          #expect(try await agent.lease(upTo: 1, for: "a", within: .seconds(1)).count == 1)
          try await driver.forget("run")
          try await driver.finish()
        }
      }
    }
  }
}
#endif
