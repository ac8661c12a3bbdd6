import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Says how far it is with each.
private final class Ends: ProgressReporter {
  let complete = CommonCounter()
  func report(_ state: ProgressState) { if state.phase == .complete { complete.increment() } }
}

/// Fails at one item.
private struct Refuses: StatelessWorker, Codable {
  struct Refused: Error, Codable {}
  var item: Int
  func process(_ item: Int) throws -> Int {
    if item == self.item { throw Refused() }
    return item * 2
  }
}

extension Checked {
  /// Items that a pipeline without a source is given, all at once or as they arrive.
  @Suite(.timeLimit(.minutes(1))) struct PipelineFeeding {
    private func arriving(_ items: Range<Int>) -> AsyncStream<Int> {
      AsyncStream { stream in
        for item in items { stream.yield(item) }
        stream.finish()
      }
    }

    @Test("each verb takes a sequence and an asynchronous one", arguments: Backends.all)
    func verbs(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let pipeline: Pipeline<Int, Int> = Pipeline {
          Refuses(item: -1)
          Serial { Refuses(item: -1) }
        }
        let wanted = (0..<50).map { $0 * 4 }
        #expect(try await pipeline.list(of: 0..<50, on: pool) == wanted)
        #expect(try await pipeline.list(of: arriving(0..<50), on: pool) == wanted)
        #expect(try await pipeline.list(of: arriving(0..<50), order: .completion, on: pool).sorted() == wanted)
      }
    }

    @Test("a run of items is watched, waited for, and fails as others do")
    func runs() async throws {
      let (ends, seen) = (Ends(), Passed<Int>())
      let pipeline: Pipeline<Int, Void> = Pipeline {
        Refuses(item: 30)
        Tap("See") { (item: Int) in seen.note(item) }
        Map { (_: Int) in }
      }
      try await pipeline.run(of: 0..<30, watch: .custom(ends))
      try await pipeline.run(of: arriving(0..<30), watch: .custom(ends))
      try await pipeline.start(of: 0..<30).wait()
      try await pipeline.start(of: arriving(0..<30)).wait()
      #expect(seen.all.sorted() == (0..<30).flatMap { [Int](repeating: $0 * 2, count: 4) })
      #expect(ends.complete.value >= 2)
      for attempt in 0..<2 {
        let failure = await #expect(throws: ItemFailure.self) {
          attempt == 0
            ? try await pipeline.run(of: 0..<40) : try await pipeline.run(of: arriving(0..<40))
        }
        #expect(failure?.index == 30)
      }
      var outcomes: [Int] = []
      for try await outcome in pipeline.outcomes(of: arriving(28..<33)) {
        if case .failure(let failure) = outcome.result { outcomes.append(failure.index) }
      }
      #expect(outcomes == [2])
    }
  }
}
