#if Observability
import InMemoryTracing
import Millrace
import Testing
import Tracing

@testable import MillraceObservability

@Suite("Which spans are over") struct TraceFoldTests {
  private let tracer = InMemoryTracer()
  private let job = JobID(1)

  private func fold() -> TraceFold {
    var fold = TraceFold(PoolSnapshot(time: 0, width: 1))
    fold.apply(.slotOpened(slot: 0, level: 0), at: 1)
    fold.mapBegins(job, tracer.startSpan("map"))
    fold.apply(.jobBegan(job, WorkerKey(1), level: 0, total: 4), at: 1)
    fold.apply(given(1), at: 2)
    return fold
  }

  private func given(_ chunk: Int) -> DispatchEvent {
    .chunkGiven(slot: 0, generation: 1, job, chunk: chunk, items: 0..<4, size: 4, attempt: 1)
  }

  @Test("a chunk that is given back before it begins has no span, and whoever begins one then ends it himself")
  func givenBack() {
    var fold = fold()
    #expect(fold.part(1) != nil)
    fold.apply(.chunkReturned(slot: 0, job, chunk: 1, items: 0..<4), at: 3)
    #expect(fold.part(1) == nil)
    let hasBegun = fold.chunkBegins(1, tracer.startSpan("chunk"))
    #expect(!hasBegun)
    let finished = fold.takeFinished()
    #expect(finished.isEmpty)
  }

  @Test("a chunk of which a part is given back goes on")
  func shared() {
    var fold = fold()
    let hasBegun = fold.chunkBegins(1, tracer.startSpan("chunk"))
    #expect(hasBegun)
    fold.apply(.chunkReturned(slot: 0, job, chunk: 1, items: 2..<4), at: 3)
    let early = fold.takeFinished()
    #expect(fold.part(1) != nil && early.isEmpty)
    fold.apply(.itemsDone(job, items: 0..<2, slot: 0, attempt: 1), at: 4)
    #expect(fold.part(1) != nil)
    fold.apply(
      .workerEnded(
        slot: 0, generation: 1, WorkerDeparture(cause: .killed(.terminated), activity: .working, endingTime: 0)), at: 5)
    let finished = fold.takeFinished()
    #expect(finished.map(\.time) == [5])
  }

  @Test("mishaps are told up to a number, and what is left at the end is over")
  func bounded() {
    var fold = fold()
    let hasBegun = fold.chunkBegins(1, tracer.startSpan("chunk"))
    #expect(hasBegun)
    for index in 0..<1_000 {
      fold.apply(
        .itemRetried(job, index: index % 4, slot: 0, attempt: 1, .timedOut(limit: .seconds(1)), delay: 0), at: 6)
    }
    let rest = fold.takeRest(at: 9)
    #expect(rest.count == 2 && rest.allSatisfy { $0.mishaps.count == 128 && $0.time == 9 })
  }
}
#endif
