#if Cluster
import Millrace
import MillraceIPC
import TestSupport
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Item 0 takes its agent with it; the others sleep beside it.
private struct KillsItsAgent: StatelessWorker {
  func process(_ item: Int) async throws -> Int {
    if item == 0 {
      usleep(100_000)
      kill(agentProcess(), SIGKILL)
    }
    usleep(300_000)
    return item
  }
}

/// What a user with the documents alone met on the first day.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct FirstDayFaults {
    enum Ending: String, CaseIterable, Sendable {
      case cancelled, totalTime, brokenOff
    }

    @Test(
      "U330: a pool whose map has ended without an agent ends, though none has come",
      .timeLimit(.minutes(1)), arguments: Ending.allCases)
    func noAgentYet(_ ending: Ending) async throws {
      let server = try ManagedServer()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "alone"), launch: .external, width: 2)
      try await withWorkerPool(backend) { pool in
        switch ending {
        case .cancelled:
          let map = Task { try await pool.map(0..<10, with: Square()) }
          while pool.snapshot.jobs.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
          map.cancel()
          await #expect(throws: CancellationError.self) { try await map.value }
        case .totalTime:
          let options = MapOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(200)))
          await #expect(throws: WorkerPoolError.self) {
            try await pool.map(0..<10, with: Square(), options: options)
          }
        case .brokenOff:
          let outputs = pool.outputs(of: 0..<10, with: Square())
          let loop = Task { for try await _ in outputs { break } }
          while pool.snapshot.jobs.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
          loop.cancel()
          _ = await loop.result
        }
      }
      await server.end()
    }

    @Test("U331: who was beside an item that takes its agents with it is not blamed for that", .timeLimit(.minutes(1)))
    func beside() async throws {
      let backend = WorkerPool.Backend.cluster(
        engine: .managed, launch: .local(agents: 1, slots: 2), lease: .milliseconds(600))
      try await withWorkerPool(backend) { pool in
        var failed: [Int] = []
        for try await outcome in pool.outcomes(
          of: 0..<3, with: KillsItsAgent(), options: MapOptions(chunking: .size(1)))
        {
          if case .failure(let failure) = outcome.result {
            failed.append(outcome.index)
            guard case .quarantined = failure.cause else {
              Issue.record("\(failure)")
              continue
            }
          }
        }
        #expect(failed == [0])
      }
    }

    @Test("U332: an answer of the queue that is lost with its connection costs no lease", .timeLimit(.minutes(1)))
    func lostAnswers() async throws {
      let server = try ManagedServer()
      let asks = RedisEngine(server.address, job: "cut")
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "cut"), launch: .local(agents: 2, slots: 1), lease: .seconds(60))
      let begun = ContinuousClock.now
      try await withWorkerPool(backend) { pool in
        let cuts = Task {
          for _ in 0..<40 {
            try await Task.sleep(for: .milliseconds(40))
            _ = try? await asks.client.ask(["CLIENT", "KILL", "TYPE", "normal"])
          }
        }
        var next = 0
        for try await output in pool.outputs(
          of: 0..<1_200, with: Naps(), options: MapOptions(chunking: .size(1)))
        {
          #expect(output == next)
          next += 1
        }
        #expect(next == 1_200)
        _ = await cuts.result
      }
      #expect(ContinuousClock.now - begun < .seconds(50))
      await asks.close()
      await server.end()
    }

    @Test("U334: a place where an agent cannot live for a moment is tried again", .timeLimit(.minutes(1)))
    func triedAgain() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      // As a host that is being started: it refuses four times.
      let script = """
        echo x >>'\(folder)/tries'; test $(wc -l <'\(folder)/tries') -gt 4 || exit 9
        exec '\(Files.program)'
        """
      let backend = WorkerPool.Backend.cluster(
        engine: .managed, launch: .command(["/bin/sh", "-c", script]), lease: .seconds(5))
      let squares = try await withWorkerPool(backend) { try await $0.map(0..<5, with: Square()) }
      #expect(squares == [0, 1, 4, 9, 16])
      #expect(try readFile("\(folder)/tries").count == 10)
    }

    @Test(
      "U334: one where they never live is given up, and the error says how the last has ended", .timeLimit(.minutes(1)))
    func givenUp() async throws {
      let backend = WorkerPool.Backend.cluster(
        engine: .managed, launch: .command(["/bin/sh", "-c", "exit 9"]), lease: .seconds(5))
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(backend) { try await $0.map([1], with: Square()) }
      }
      #expect(says(error, "none will come") && says(error, "exited with code 9"), "\(String(describing: error))")
    }

    @Test("U335: who has left is not lost, whenever its name is looked for")
    func leavers() async throws {
      try await withLab(.redis) { lab in
        let driver = try await lab.driver()
        let isOver = Lock(false)
        let watching = Task {
          var seen = 0
          while !isOver.withLock({ $0 }) {
            for member in try await driver.members() {
              seen += 1
              #expect(member.isAlive, "\(member.name)")
            }
          }
          return seen
        }
        let agent = lab.client()
        for number in 0..<400 {
          try await agent.join(Member(name: "agent\(number)"))
          try await agent.leave("agent\(number)")
        }
        isOver.withLock { $0 = true }
        #expect(try await watching.value > 0)
      }
    }

    @Test("U336: a server of one's own that does not start is quoted")
    func quoted() async throws {
      let programs = try FakePrograms { _ in
        ["redis-server": "echo a first line\necho 'Fatal: no room' >&2\nexit 1\n"]
      }
      defer { programs.remove() }
      let error = await #expect(throws: WorkerPoolError.self) {
        try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 1))) {
          try await $0.map([1], with: Square())
        }
      }
      #expect(says(error, "exited with code 1") && says(error, "Fatal: no room"), "\(String(describing: error))")
    }
  }
}

private struct Naps: StatelessWorker {
  func process(_ item: Int) -> Int {
    usleep(1_000)
    return item
  }
}
#endif
