#if Observability
import InMemoryTracing
import MetricsTestKit
import Millrace
import MillraceObservability
import MillraceTesting
import TestSupport
import Testing
import Tracing

private struct Misfortune: Error, Codable {}

private struct Adds: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item + 1 }
}

private struct FailsAt: StatelessWorker, Codable {
  var number: Int

  func process(_ item: Int) throws -> Int {
    if item == number { throw Misfortune() }
    return item
  }
}

extension Checked {
  @Suite("How pipelines' stages end, as it is seen", .timeLimit(.minutes(1))) struct PipelineEndTests {
    private func seen(
      on backend: WorkerPool.Backend, _ body: (WorkerPool) async throws -> Void
    ) async throws -> (maps: [String: Int64], spans: [SpanAttribute?]) {
      let (metrics, tracer) = (TestMetrics(), InMemoryTracer())
      try await withWorkerPool(backend) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        try pool.trace(.maps, with: tracer)
        try await body(pool)
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      let ends = ["complete", "failed", "cancelled"]
      let maps = Dictionary(uniqueKeysWithValues: ends.map { ($0, metrics.count("millrace.maps", ("end", $0))) })
      return (maps, tracer.spans("millrace.map").map { $0.attributes.get("millrace.end") })
    }

    @Test("U170: the stages of a run that was drained are complete", arguments: Backends.everything)
    func drained(backend: WorkerPool.Backend) async throws {
      for _ in 0..<3 {
        let (maps, spans) = try await seen(on: backend) { pool in
          let pipeline: Pipeline<Nothing, Int> = Pipeline {
            EndlessCount()
            Adds()
          }
          let run = try pipeline.start(on: pool)
          while await run.snapshot.stages.first?.done ?? 0 < 10 { await Task.yield() }
          try await run.stop()
          #expect(run.state == .finished)
        }
        #expect(maps == ["complete": 1, "failed": 0, "cancelled": 0])
        #expect(spans == [.string("complete")])
      }
    }

    @Test("U172: stages with slots of their own are seen as the others are", arguments: Backends.everything)
    func ownSlots(backend: WorkerPool.Backend) async throws {
      let (maps, spans) = try await seen(on: backend) { pool in
        let pipeline = Pipeline<Int, Int> {
          Adds()
          Parallel(2) { Adds() }
          Serial { Adds() }
        }
        let found = try await pipeline.list(of: 0..<100, on: pool)
        #expect(found == Array(3..<103))
      }
      #expect(maps == ["complete": 3, "failed": 0, "cancelled": 0])
      #expect(spans == Array(repeating: .string("complete"), count: 3))
    }

    @Test("U171: the stage of which an item has ended the run has failed", arguments: Backends.everything)
    func failed(backend: WorkerPool.Backend) async throws {
      for _ in 0..<3 {
        let (maps, spans) = try await seen(on: backend) { pool in
          let pipeline: Pipeline<Nothing, Int> = Pipeline {
            Items(0..<10_000)
            FailsAt(number: 20)
          }
          let failure = await #expect(throws: ItemFailure.self) { try await pipeline.run(on: pool) }
          #expect(failure?.index == 20)
        }
        #expect(maps == ["complete": 0, "failed": 1, "cancelled": 0])
        #expect(spans == [.string("failed")])
      }
    }
  }
}
#endif
