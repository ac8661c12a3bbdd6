import Logging
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Notes its set-ups and tear-downs, and hands its items on.
private struct Noted: Worker, Codable {
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) { ledger.note("up") }
  func process(_ item: Int, state: inout Void) -> Int { item }
  func tearDown(_ state: Void) { ledger.note("down") }
}

/// The same, and says what it has seen.
private struct NotedPut: Worker, Codable {
  var ledger: LineLedger
  var channel: SideChannel<Int>

  func setUp(_ context: WorkerContext) { ledger.note("up") }
  func process(_ item: Int, state: inout Void) async throws -> Int {
    try await channel.put(item)
    return item
  }
  func tearDown(_ state: Void) { ledger.note("down") }
}

/// Notes its items, and hands them on.
private struct NotesItems: StatelessWorker, Codable {
  var ledger: LineLedger

  func process(_ item: Int) -> Int {
    ledger.note("\(item)")
    return item
  }
}

private func ups(_ ledger: LineLedger) throws -> (ups: Int, downs: Int) {
  let lines = try ledger.lines
  return (lines.filter { $0 == "up" }.count, lines.filter { $0 == "down" }.count)
}

extension Checked {
  /// Stages with slots of their own end with the pool on which their pipeline runs.
  @Suite(.timeLimit(.minutes(1))) struct PipelineDependants {
    @Test(
      "U172: a pool's scope waits for stages with slots of their own of a loop that was left", arguments: Backends.all)
    func left(backend: WorkerPool.Backend) async throws {
      for _ in 0..<5 {
        try await LineLedger.with { ledger in
          try await withWorkerPool(backend) { pool in
            let pipeline: Pipeline<Nothing, Int> = Pipeline {
              EndlessCount()
              Parallel(2) { Noted(ledger: ledger) }
              AddX(amount: 0)
            }
            for try await output in pipeline.outputs(on: pool) where output >= 10 { break }
          }
          let (ups, downs) = try ups(ledger)
          #expect(ups > 0 && ups == downs)
        }
      }
    }

    @Test("U172: and for its side channels", arguments: Backends.everything.able(.sharesObjects))
    func channels(backend: WorkerPool.Backend) async throws {
      for _ in 0..<3 {
        try await LineLedger.with { ledger in
          let channel = SideChannel<Int>("noted") { Pipeline<Int, Int> { Noted(ledger: ledger) } }
          try await withWorkerPool(backend) { pool in
            let pipeline = Pipeline<Int, Int> { NotedPut(ledger: ledger, channel: channel) }.using(channel)
            for try await output in pipeline.outputs(of: 0..., on: pool) where output >= 10 { break }
          }
          let (ups, downs) = try ups(ledger)
          #expect(ups >= 2 && ups == downs)
        }
      }
    }

    @Test("U173: a loop that was left says nothing of its pool's end", arguments: Backends.all)
    func silent(backend: WorkerPool.Backend) async throws {
      for _ in 0..<20 {
        let heard = Heard()
        try await withWorkerPool(backend, logger: heard.logger()) { pool in
          let pipeline = Pipeline<Int, Int> {
            AddX(amount: 1)
            Serial { AddX(amount: -1) }
          }
          for try await output in pipeline.outputs(of: 0..., on: pool) where output >= 10 { break }
        }
        #expect(heard.messages(at: .warning).isEmpty)
      }
    }

    @Test("U172: what was read when its pool is shut down comes to its consumer", arguments: Backends.everything)
    func shutDown(backend: WorkerPool.Backend) async throws {
      for _ in 0..<5 {
        try await LineLedger.with { ledger in
          let pool = try WorkerPool(backend)
          let pipeline = Pipeline<Int, Int> {
            NotesItems(ledger: ledger)
            Parallel(2) { AddX(amount: 1) }
            Serial { AddX(amount: -1) }
          }
          var found: [Int] = []
          let error = await #expect(throws: PipelineError.self) {
            for try await output in pipeline.outputs(of: 0..., on: pool) {
              found.append(output)
              // Its consumer is here: nobody takes what comes meanwhile.
              if output == 10 { try await pool.shutdown() }
            }
          }
          #expect((error?.underlying as? WorkerPoolError)?.kind == .closed)
          let begun = try ledger.lines.compactMap { Int($0) }.sorted()
          #expect(found == begun && found == Array(0..<found.count))
        }
      }
    }

    @Test("U172: a run without a stage in its pool's slots is given up with it", arguments: Backends.all)
    func terminated(backend: WorkerPool.Backend) async throws {
      for _ in 0..<3 {
        let pool = try WorkerPool(backend)
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          EndlessCount()
          Parallel(2) { AddX(amount: 0) }
        }
        let run = try pipeline.start(on: pool)
        while await run.snapshot.stages.first?.done ?? 0 < 10 { await Task.yield() }
        try await pool.terminate()
        #expect(run.state == .failed)
        let error = await #expect(throws: WorkerPoolError.self) { try await run.wait() }
        #expect(error?.kind == .closed)
        await #expect(throws: WorkerPoolError.self) { try await pipeline.run(on: pool) }
      }
    }

    @Test("U172: a stage with slots of its own does not wait for the pool that waits for it")
    func inside() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let pipeline = Pipeline<Int, WorkerPoolError.Kind?> {
          Parallel(2) {
            Map { (_: Int) -> WorkerPoolError.Kind? in
              do throws(WorkerPoolError) { try await pool.shutdown() } catch { return error.kind }
              return nil
            }
          }
        }
        let kinds = try await pipeline.list(of: [1, 2], on: pool)
        #expect(kinds == [.calledFromItem, .calledFromItem])
      }
    }
  }
}
