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

/// Tells a closure.
private struct Reporting: ProgressReporter {
  let tell: @Sendable (ProgressState) -> Void
  init(_ tell: @escaping @Sendable (ProgressState) -> Void) { self.tell = tell }
  func report(_ state: ProgressState) { tell(state) }
}

private struct Adds: StatelessWorker, Codable {
  var table: Shared<[Int]>
  func process(_ item: Int) -> Int { table.value[item] }
}

/// Runs that another program goes on with: what the consumer has had is not delivered again, and all else is.
extension Checked {
  @Suite struct ResumeTests {
    private func withPool(
      _ lab: QueueLab, logger: Logger = Logger(label: "millrace"), _ body: (WorkerPool) async throws -> Void
    ) async throws {
      let lease = Duration.seconds(2)
      let launcher = HereLauncher(2) {
        var options = Agent.Options()
        options.backend = { .threads($0) }
        return Agent(lab.client(lease: lease), options, logger: Logger(label: "agent"))
      }
      try await withWorkerPool(.cluster(lab.client(lease: lease), launcher, width: 4), logger: logger) {
        try await body($0)
      }
    }

    /// Takes so many outcomes of the run, at most; says which.
    private func take(
      _ pool: WorkerPool, _ count: Int = .max, of items: Int = 50, order: MapOptions.Order = .input
    ) async throws -> [Int] {
      var indices: [Int] = []
      for try await outcome in pool.outcomes(of: 0..<items, with: Square(), resuming: "squares", order: order) {
        let output = try outcome.output
        #expect(outcome.input == outcome.index && output == outcome.index * outcome.index)
        indices.append(outcome.index)
        if indices.count == count { break }
      }
      return indices
    }

    @Test("U297: a worker with something shared is refused, and told why", arguments: QueueKind.here)
    func shared(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab) { pool in
          let worker = Adds(table: Shared([1, 2]))
          let error = await #expect(throws: WorkerPoolError.self) {
            for try await _ in pool.outcomes(of: [0, 1], with: worker, resuming: "sums") {}
          }
          #expect(error?.kind == .notTransportable)
          #expect(
            says(error, "run sums") && says(error, "shared") && says(error, "send a copy of what is in it"),
            "\(String(describing: error))")
          let sums = try await pool.map([0, 1], with: worker)
          #expect(sums == [1, 2])
        }
      }
    }

    @Test("the next program goes on behind what the consumer has had", arguments: QueueKind.here)
    func goesOn(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab) { pool in
          let indices = try await take(pool, 10)
          #expect(indices == Array(0..<10))
        }
        // It had the last one in hand.
        try await withPool(lab) { pool in
          let indices = try await take(pool, 20)
          #expect(indices == Array(9..<29))
        }
        try await withPool(lab) { pool in
          let rest = try await take(pool)
          #expect(rest == Array(28..<50))
          // It is complete, while the program lives that has seen it.
          let again = try await take(pool)
          #expect(again == [])
        }
        // And then forgotten.
        #expect(try await !lab.leftovers().contains { $0.contains(":run:") })
        try await withPool(lab) { pool in
          let indices = try await take(pool, 3)
          #expect(indices == [0, 1, 2])
        }
      }
    }

    @Test("U343: a second loop over a run that is under way in the pool is refused, and takes nothing from the first")
    func twice() async throws {
      try await withLab(.inMemory) { lab in
        try await withPool(lab) { pool in
          var indices: [Int] = []
          for try await outcome in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares") {
            indices.append(outcome.index)
            if indices.count == 3 {
              let error = await #expect(throws: WorkerPoolError.self) {
                for try await _ in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares") {}
              }
              #expect(
                says(error, "run squares is under way in this pool") && error?.kind == .cannotStart,
                "\(String(describing: error))")
              // One of another name is another run.
              for try await _ in pool.outcomes(of: 0..<5, with: Square(), resuming: "others") {}
            }
            if indices.count == 10 { break }
          }
          #expect(indices == Array(0..<10))
          // Nobody has it any more.
          let rest = try await take(pool)
          #expect(rest == Array(9..<50))
        }
      }
    }

    @Test("U343: a run that is complete says so where it is begun again, for it has no outcomes")
    func complete() async throws {
      try await withLab(.inMemory) { lab in
        let heard = Heard()
        try await withPool(lab, logger: heard.logger()) { pool in
          let all = try await take(pool)
          #expect(all.count == 50 && heard.messages(at: .notice) == [])
          let again = try await take(pool)
          #expect(again == [])
        }
        let said = heard.messages(at: .notice)
        #expect(said == ["run squares is complete: all 50 items were delivered, and none is again"], "\(said)")
      }
    }

    @Test("U256: a bar goes on where the last program's was, at the rate of this one", arguments: QueueKind.here)
    func progress(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab) { pool in _ = try await take(pool, 40) }
        try await withPool(lab) { pool in
          pool.recordInsights()
          let last = Lock<ProgressState?>(nil)
          let options = MapOptions(progress: .custom(Reporting { state in last.withLock { $0 = state } }))
          var count = 0
          for try await _ in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares", options: options) {
            count += 1
          }
          let state = try #require(last.withLock { $0 })
          #expect(count == 11 && state.done == 50 && state.total == 50 && state.phase == .complete)
          #expect(abs(try #require(state.rate) * (state.elapsed / .seconds(1)) - 11) < 0.01, "\(state)")
          #expect(pool.insights.total.items == 11)
        }
      }
    }

    @Test("each outcome comes once in the order of completion, too, whatever was in hand", arguments: QueueKind.here)
    func unordered(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        var had: [Int] = []
        for count in [40, 1, 70] {
          try await withPool(lab) { pool in had += try await take(pool, count, of: 200, order: .completion).dropLast() }
        }
        try await withPool(lab) { pool in had += try await take(pool, of: 200, order: .completion) }
        #expect(had.sorted() == Array(0..<200))
      }
    }

    @Test("of two programs the one that came last has the run, and the other is told", arguments: QueueKind.here)
    func fenced(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab) { pool in
          var first: [Int] = []
          var second: [Int] = []
          let error = await #expect(throws: WorkerPoolError.self) {
            for try await outcome in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares") {
              first.append(outcome.index)
              if first.count == 10 { try await withPool(lab) { second = try await take($0) } }
            }
          }
          #expect(says(error, "another driver has taken this job over"), "\(String(describing: error))")
          #expect(first == Array(0..<10) && second == Array(9..<50))
        }
      }
    }

    @Test("a queue that forgets everything in mid-run is told again what was delivered", arguments: QueueKind.here)
    func forgotten(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        try await withPool(lab) { pool in
          var count = 0
          for try await _ in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares") {
            count += 1
            if count == 10 { try await lab.forget() }
            if count == 20 { break }
          }
        }
        try await withPool(lab) { pool in
          let indices = try await take(pool)
          #expect(indices == Array(19..<50))
        }
      }
    }

    @Test("U205: a queue that goes back in mid-run to what it had is told what it lacks", arguments: QueueKind.here)
    func goneBack(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        let heard = Heard()
        let lease = Duration.seconds(2)
        let launcher = HereLauncher(2) {
          var options = Agent.Options()
          options.backend = { .threads($0) }
          return Agent(lab.client(lease: lease), options, logger: Logger(label: "agent"))
        }
        try await withWorkerPool(.cluster(lab.client(lease: lease), launcher, width: 4), logger: heard.logger()) {
          pool in
          var count = 0
          var back: (() async throws -> Void)?
          for try await _ in pool.outcomes(of: 0..<50, with: Square(), resuming: "squares") {
            count += 1
            if count == 5 { back = try await lab.past() }
            if count == 15 {
              // Until the driver has said once more that it lives, and finds that the queue has not heard it.
              while !heard.messages.contains(where: { $0.hasPrefix("the queue had forgotten") }) {
                try await back?()
                try await Task.sleep(for: .milliseconds(100))
              }
            }
            if count == 20 { break }
          }
        }
        try await withPool(lab) { pool in
          let indices = try await take(pool)
          #expect(indices == Array(19..<50))
        }
      }
    }

    @Test("a run of another worker or input is refused, and the field is named")
    func others() async throws {
      try await withLab(.inMemory) { lab in
        try await withPool(lab) { pool in _ = try await take(pool, 10) }
        try await withPool(lab) { pool in
          func refusal(_ outcomes: ResumedOutcomes<Int, Int>) async -> String {
            do {
              for try await _ in outcomes {}
              return "none"
            } catch { return "\(error)" }
          }
          let fewer = await refusal(pool.outcomes(of: 0..<49, with: Square(), resuming: "squares"))
          #expect(fewer.contains("was begun with another number of items: 50, and not 49"), "\(fewer)")
          let other = await refusal(pool.outcomes(of: 0..<50, with: Slow(pause: .zero), resuming: "squares"))
          #expect(other.contains("another worker") && other.contains("Square"), "\(other)")
          #expect(await refusal(pool.outcomes(of: 0..<5, with: Slow(pause: .zero), resuming: "slow")) == "none")
          let name = await refusal(pool.outcomes(of: 0..<5, with: Square(), resuming: "a b"))
          #expect(name.contains("resuming"), "\(name)")
        }
        try await withPool(lab) { pool in
          for try await _ in pool.outcomes(of: 0..<5, with: Slow(pause: .zero), resuming: "slow") { break }
        }
        try await withPool(lab) { pool in
          let error = await #expect(throws: WorkerPoolError.self) {
            for try await _ in pool.outcomes(of: 0..<5, with: Slow(pause: .nanoseconds(1)), resuming: "slow") {}
          }
          #expect(says(error, "another configuration"), "\(String(describing: error))")
        }
      }
    }

    @Test("where there is no queue, or no name to find it by, it says so")
    func nowhere() async throws {
      func error(_ backend: WorkerPool.Backend) async throws -> WorkerPoolError? {
        try await withWorkerPool(backend) { pool in
          await #expect(throws: WorkerPoolError.self) {
            for try await _ in pool.outcomes(of: 0..<5, with: Square(), resuming: "squares") {}
          }
        }
      }
      #expect(says(try await error(.threads(2)), "that takes a cluster"))
      guard QueueKind.hasServer else { return }
      #expect(says(try await error(.cluster(engine: .managed, launch: .local(agents: 1))), "name its job"))
    }

    @Test(
      "U161: agents that outlive their driver do not take the next one's worker for its own", arguments: QueueKind.here)
    func outlived(_ kind: QueueKind) async throws {
      try await withLab(kind) { lab in
        var options = Agent.Options()
        options.backend = { .threads($0) }
        let agent = Agent(lab.client(), options, logger: Logger(label: "agent"))
        let running = Task { await agent.run() }
        func pool() throws -> WorkerPool { try WorkerPool(.cluster(lab.client(), ExternalLauncher(), width: 2)) }
        let (first, second) = (try pool(), try pool())
        #expect(try await first.map([3], with: Plus(number: 10)) == [13])
        // The first is as good as dead: it says nothing more.
        #expect(try await second.map([3], with: Plus(number: 20)) == [23])
        agent.leave()
        #expect(await running.value == .told)
        try await first.terminate()
        try await second.terminate()
      }
    }

    @Test(
      "F76: a driver is killed again and again, and each outcome is recorded, the one in hand perhaps twice",
      .enabled(if: QueueKind.hasServer, "redis-server is not installed"))
    func killed() async throws {
      let server = try ManagedServer()
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      let file = "\(folder)/record"
      try Files.write(file, "", mode: 0o600)
      let count = 300
      /// The program, until it has recorded so many more, or to its end.
      func run(killedAfter lines: Int?) async throws -> TetheredProcess.End? {
        let (ended, end) = (TaskBell(), Lock<TetheredProcess.End?>(nil))
        let before = try readFile(file).split(separator: "\n").count
        let process = try TetheredProcess(
          ["\(Files.built)/ClusterProgram", server.address.url, "night", "\(count)", file], text: ""
        ) { how in
          end.withLock { $0 = how }
          ended.ring()
        }
        if let lines {
          while try readFile(file).split(separator: "\n").count < before + lines, end.withLock({ $0 }) == nil {
            try await Task.sleep(for: .milliseconds(5))
          }
          process.kill()
        }
        while end.withLock({ $0 }) == nil { await ended.waitForRing() }
        process.letGo()
        return end.withLock { $0 }
      }
      for lines in [40, 1, 75] {
        guard case .died(SIGKILL)? = try await run(killedAfter: lines) else {
          Issue.record("it has ended by itself")
          break
        }
      }
      guard case .exited(0)? = try await run(killedAfter: nil) else {
        Issue.record("it has failed")
        return
      }
      let lines = try readFile(file).split(separator: "\n")
      #expect(Set(lines) == Set((0..<count).map { "\($0) \($0 * $0)"[...] }))
      #expect(lines.count <= count + 3, "\(lines.count)")
      let engine = RedisEngine(server.address, job: "night")
      #expect(try await !engine.hasRun())
      await engine.close()
      await server.end()
    }
  }
}

/// Adds what it was made with.
struct Plus: StatelessWorker {
  var number: Int
  func process(_ item: Int) -> Int { item + number }
}
#endif
