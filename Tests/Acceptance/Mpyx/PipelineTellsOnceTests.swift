import Logging
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

private struct BreaksOn: StatelessWorker, Codable {
  var number: Int

  func process(_ item: Int) throws -> Int {
    if item == number { throw Refused(item: item) }
    return item
  }
}

private struct BadEnd: Worker, Codable {
  func setUp(_ context: WorkerContext) {}
  func process(_ item: Int, state: inout Void) -> Int { item }
  func tearDown(_ state: Void) throws { throw Refused(item: -1) }
}

/// A stage whose tear-down dies, or takes longer than it may.
private struct DyingEnd: Stage, Codable {
  let dies: Bool

  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws { try await out.put(item) }

  func tearDown(_ state: consuming Void, _ out: Outlet<Int>) async throws {
    if dies { kill(getpid(), SIGKILL) }
    // On a thread nobody else ends it.
    usleep(300_000)
  }
}

extension Checked {
  /// What goes wrong is said once, by its name.
  @Suite(.timeLimit(.minutes(1))) struct PipelineTellsOnce {
    @Test("U174: an item that fails before a tee is told of once", arguments: Backends.everything.able(.runsClosures))
    func tee(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for order in [MapOptions.Order.input, .completion] {
          let pipeline = Pipeline<Int, Int> {
            Pipeline<Int, Int> { BreaksOn(number: 4) }.options(StageOptions(onFailure: .collect))
            Tee { Pipeline<Int, Int> { BreaksOn(number: 7) }.options(StageOptions(onFailure: .collect)) }
            AddX(amount: 0)
          }
          var found: [Int] = []
          let failures = await #expect(throws: ItemFailures.self) {
            for try await output in pipeline.outputs(of: 0..<10, order: order, on: pool) { found.append(output) }
          }
          #expect(found.sorted() == [0, 1, 2, 3, 5, 6, 7, 8, 9])
          // What fails in the other pipeline only is told of, too.
          #expect(failures?.count == 2 && failures?.failures.map(\.index).sorted() == [4, 7])
          var failed: [Int] = []
          for try await outcome in pipeline.outcomes(of: 0..<10, order: order, on: pool) {
            if case .failure(let failure) = outcome.result { failed.append(failure.index) }
          }
          #expect(failed.sorted() == [4, 7])
        }
      }
    }

    @Test(
      "U174: rows of a zip do not shift for a tee in one of its branches", arguments: Backends.all.able(.runsClosures))
    func rows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline<Int, (Int, Int)>.graph { numbers in
          let risky = numbers.through(
            Pipeline<Int, Int> { BreaksOn(number: 4) }.options(StageOptions(onFailure: .collect)))
          return zip(risky.tee(Pipeline<Int, Int> { AddX(amount: 0) }), risky.map { $0 * 10 })
        }
        var rows: [(Int, Int)] = []
        _ = await #expect(throws: ItemFailures.self) {
          for try await row in pipeline.outputs(of: 0..<10, on: pool) { rows.append(row) }
        }
        #expect(rows.allSatisfy { $0.1 == $0.0 * 10 }, "\(rows)")
      }
    }

    // Agents keep what becomes of tear-downs.
    @Test(
      "U174: a tear-down that fails is logged by its stage's name",
      arguments: Backends.everything.without(.sharesWorkers))
    func tearDown(backend: WorkerPool.Backend) async throws {
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        let pipeline = Pipeline<Int, Int> {
          AddX(amount: 1)
          BadEnd()
        }
        await #expect(throws: PipelineError.self) { _ = try await pipeline.list(of: 0..<4, on: pool) }
      }
      let lines = heard.lines.filter { $0.level == .error }
      #expect(!lines.isEmpty && lines.allSatisfy { $0.metadata["stage"] == "BadEnd" && $0.metadata["worker"] == nil })
    }

    @Test(
      "U328: so is one that dies, or takes too long", arguments: ["dies", "hangs on processes", "hangs on threads"])
    func tearDownDies(how: String) async throws {
      let heard = Heard()
      let backend = how.hasSuffix("threads") ? WorkerPool.Backend.threads(1) : .processes(1)
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        let pipeline = Pipeline<Int, Int> { DyingEnd(dies: how == "dies") }
          .options(StageOptions(name: "mine", timeouts: MapOptions.Timeouts(tearDown: .milliseconds(100))))
        let error = await #expect(throws: PipelineError.self) { _ = try await pipeline.list(of: 0..<4, on: pool) }
        #expect(error?.kind == .tearDownFailed)
      }
      let lines = heard.lines.filter { $0.level >= .warning }
      #expect(!lines.isEmpty && lines.allSatisfy { $0.metadata["stage"] == "mine" }, "\(lines)")
    }
  }
}
