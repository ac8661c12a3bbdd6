import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

private struct BreaksOn: StatelessWorker, Codable {
  var number: Int

  func process(_ item: Int) throws -> Int {
    if item == number { throw Refused(item: item) }
    return item
  }
}

/// Keeps the last that it is told of each stage.
private final class LastPhases: ProgressReporter {
  private let phases = Lock<[String: ProgressState.Phase]>([:])
  func report(_ state: ProgressState) { phases.withLock { $0[state.name] = state.phase } }
  var all: [String: ProgressState.Phase] { phases.withLock { $0 } }
}

extension Checked {
  /// What others see of a run: how its stages end.
  @Suite(.timeLimit(.minutes(1))) struct PipelinesSeen {
    @Test("U170: a run that was drained is watched to the end of complete stages", arguments: Backends.all)
    func drained(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<3 {
          let ends = LastPhases()
          let pipeline: Pipeline<Nothing, Int> = Pipeline {
            EndlessCount()
            AddX(amount: 1)
            Serial { AddX(amount: 1) }
          }
          let run = try pipeline.start(on: pool, watch: .custom(ends))
          while await run.snapshot.stages.last?.done ?? 0 < 10 { await Task.yield() }
          try await run.stop()
          #expect(run.state == .finished)
          #expect(ends.all.count == 2 && ends.all.values.allSatisfy { $0 == .complete }, "\(ends.all)")
        }
      }
    }

    @Test("U171: the stage of which an item has ended the run is seen to fail", arguments: Backends.all)
    func failed(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<3 {
          let ends = LastPhases()
          let pipeline: Pipeline<Nothing, Int> = Pipeline {
            Items(0..<10_000)
            AddX(amount: 0)
            Serial { BreaksOn(number: 20) }
          }
          await #expect(throws: ItemFailure.self) { try await pipeline.run(on: pool, watch: .custom(ends)) }
          #expect(ends.all["BreaksOn"] == .failed, "\(ends.all)")
        }
      }
    }
  }
}
