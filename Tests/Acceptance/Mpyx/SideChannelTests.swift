import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Ten times its item, which it tells of.
private struct Tens: StatelessWorker, Codable {
  var log: SideChannel<String>
  var trap: Int?

  func process(_ item: Int) async throws -> Int {
    try await log.put("seen \(item)")
    if item == trap { return [Int]()[item] }
    try await log.put("valid \(item)")
    return item * 10
  }
}

/// mpyx' writer into a data base: all that it was given, and a commit.
private struct DBWriter: Stage {
  var ledger: LineLedger
  var failsAt: Int?

  func setUp(_ context: StageContext, _ out: Outlet<Void>) -> Int {
    ledger.note("open")
    return 0
  }
  func process(_ line: String, state count: inout Int, _ out: Outlet<Void>) async throws {
    count += 1
    if count == failsAt { throw Refused(item: count) }
    ledger.note(line)
  }
  func tearDown(_ count: consuming Int, _ out: Outlet<Void>) { ledger.note("commit") }
}

/// What can be put in elsewhere, and not taken out here.
private struct Sealed: Codable, Sendable {
  init() {}
  init(from decoder: any Decoder) throws { throw Refused(item: 7) }
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(7)
  }
}

private struct Seals: StatelessWorker, Codable {
  var channel: SideChannel<Sealed>
  func process(_ item: Int) async throws -> Int {
    try await channel.put(Sealed())
    return item
  }
}

private func channel(_ ledger: LineLedger, failsAt: Int? = nil) -> SideChannel<String> {
  SideChannel("db", capacity: 2) { Pipeline<String, Void> { DBWriter(ledger: ledger, failsAt: failsAt) } }
}

extension Checked {
  @Suite(.timeLimit(.minutes(1))) struct SideChannelCases {
    @Test(
      "X16, X21 what stages put is there before the commit, which comes once, and before the run's end",
      arguments: Backends.everything.able(.sharesObjects))
    func x21(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger)
          let pipeline = Pipeline { Items(1...20) }.map(with: Tens(log: db)).using(db)
          // Each run has it anew.
          for run in 1...2 {
            let found = try await pipeline.list(on: pool)
            #expect(found == (1...20).map { $0 * 10 })
            let lines = try ledger.lines
            #expect(lines.count == run * 42)
            let own = lines.suffix(42)
            #expect(own.first == "open" && own.last == "commit")
            let expected = (1...20).flatMap { ["seen \($0)", "valid \($0)"] }
            #expect(own.dropFirst().dropLast().sorted() == expected.sorted())
          }
        }
      }
    }

    @Test(
      "stages that run together, and closures that capture it, put too", arguments: Backends.all.able(.sharesObjects))
    func closures(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger)
          let pipeline = Pipeline { Items(1...20) }.map { (item: Int) in
            try await db.put("one \(item)")
            return item
          }.map { (item: Int) in
            try await db.put("two \(item)")
            return item
          }.using(db)
          try await pipeline.run(on: pool)
          let lines = try ledger.lines
          #expect(lines.count == 42 && lines.last == "commit")
        }
      }
    }

    @Test("what a worker put before it died is there", arguments: Backends.isolating)
    func crash(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger)
          let pipeline = Pipeline { Items(1...10) }.map(with: Tens(log: db, trap: 4))
            .options(StageOptions(onFailure: .skip)).using(db)
          let found = try await pipeline.list(on: pool)
          #expect(found == (1...10).filter { $0 != 4 }.map { $0 * 10 })
          let lines = try ledger.lines
          #expect(lines.contains("seen 4") && !lines.contains("valid 4") && lines.last == "commit")
        }
      }
    }

    @Test("a channel that fails ends the runs that use it, and is named", arguments: Backends.all.able(.sharesObjects))
    func failure(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger, failsAt: 5)
          let pipeline = Pipeline { EndlessCount() }.map(with: Tens(log: db)).using(db)
          let error = await #expect(throws: PipelineError.self) { try await pipeline.run(on: pool) }
          #expect(error?.kind == .sideChannelFailed && error?.stage.name == "db")
          #expect((error?.underlying as? ItemFailure)?.stage?.name == "DBWriter")
          let lines = try ledger.lines
          #expect(lines.last == "commit")
        }
      }
    }

    @Test("what no run uses takes nothing, and says what to do")
    func unused() async throws {
      try await LineLedger.with { ledger in
        let db = channel(ledger)
        let error = await #expect(throws: PipelineError.self) { try await db.put("nobody reads this") }
        #expect(error?.kind == .sideChannelUnused && "\(error!)".contains("using"))
      }
    }

    @Test(
      "U165: runs that begin and end at once have it together, or one after the other",
      arguments: [WorkerPool.Backend.threads(3), .processes(2), Backends.forking, Backends.crowded].runnable)
    func atOnce(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger)
          let pipeline = Pipeline<Int, Int> { Tens(log: db) }.using(db)
          for _ in 0..<20 {
            let long = Task { try await pipeline.list(of: 1...40, on: pool).count }
            let short = Task { try await pipeline.list(of: 1...4, on: pool).count }
            let counts = [try await long.value, try await short.value]
            #expect(counts == [40, 4])
          }
          let tasks = (0..<3).map { _ in
            Task { for _ in 0..<10 { try await pipeline.run(of: 1...4, on: pool) } }
          }
          for task in tasks { try await task.value }
          let lines = try ledger.lines
          #expect(lines.count { $0.hasPrefix("seen") } == 20 * 44 + 30 * 4)
          #expect(lines.count { $0.hasPrefix("valid") } == 20 * 44 + 30 * 4)
          // It is not there twice at once.
          let ends = lines.filter { $0 == "open" || $0 == "commit" }
          #expect(ends.enumerated().allSatisfy { $1 == ($0 % 2 == 0 ? "open" : "commit") } && ends.count % 2 == 0)
        }
      }
    }

    @Test("U165: a channel that cannot begin ends each run that uses it", arguments: Backends.all.able(.sharesObjects))
    func cannotBegin(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let channel = SideChannel<String>("none") {
          Pipeline<String, String>.graph { $0.map { $0 } }.options(StageOptions(on: .threads(-1)))
        }
        let pipeline = Pipeline<Int, Int> { Tens(log: channel) }.using(channel)
        for _ in 0..<5 {
          let tasks = (0..<2).map { _ in Task { try await pipeline.list(of: 1...200, on: pool) } }
          for task in tasks { await #expect(throws: (any Error).self) { _ = try await task.value } }
        }
      }
    }

    @Test("U165: what cannot be taken out of it ends the run", arguments: Backends.isolating)
    func sealed(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let channel = SideChannel<Sealed>("sealed") { Pipeline<Sealed, Sealed>.graph { $0.map { $0 } } }
        let pipeline = Pipeline<Int, Int> { Seals(channel: channel) }.using(channel)
        let error = await #expect(throws: (any Error).self) { try await pipeline.list(of: 1...3, on: pool) }
        #expect("\(error!)".contains("Refused"))
      }
    }

    @Test("who leaves the loop ends it, too", arguments: Backends.all.able(.sharesObjects))
    func leaving(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let db = channel(ledger)
          let pipeline = Pipeline { EndlessCount() }.map(with: Tens(log: db)).using(db)
          for try await item in pipeline.outputs(on: pool) where item >= 100 { break }
        }
        // The run ends behind the loop, and nothing says when.
        while try ledger.lines.last != "commit" { await Task.yield() }
      }
    }
  }
}
