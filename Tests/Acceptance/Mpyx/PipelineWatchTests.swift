import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Takes so many thousands of rounds for each item.
private struct Toils: StatelessWorker, Codable {
  var thousands: Int

  func process(_ item: Int) -> Int {
    var state = UInt64(truncatingIfNeeded: item) | 1
    for _ in 0..<thousands * 1_000 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
    }
    return state == 0 ? -1 : item
  }
}

/// Keeps what it is told of each stage.
private final class Reports: ProgressReporter {
  private let states = Lock<[ProgressState]>([])
  func report(_ state: ProgressState) { states.withLock { $0.append(state) } }
  var all: [ProgressState] { states.withLock { $0 } }
}

extension Checked {
  @Suite(.timeLimit(.minutes(1))) struct PipelineWatching {
    @Test("a run says what its stages are at, which of them holds it up, and what would help", arguments: Backends.all)
    func snapshot(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(0..<200)
          Serial { Toils(thousands: 1) }
          Serial { Toils(thousands: 40) }
          Tap("See") { (_: Int) in }
        }
        let run = try pipeline.start(on: pool)
        try await run.wait()
        let found = await run.snapshot
        #expect(found.stages.map(\.name) == ["Toils", "Toils 2", "See"])
        #expect(found.stages.allSatisfy { $0.done == 200 && $0.failed == 0 && $0.waiting == 0 && $0.hasEnded })
        #expect(found.bottleneck?.name == "Toils 2")
        #expect("\(found)".contains("Toils 2 ×1: 200 done") && "\(found)".contains("← bottleneck"))
        let widths = await run.suggest(workers: 12)
        #expect(widths.map(\.slots).reduce(0, +) == 12 && widths[1].slots > widths[0].slots && widths[2].slots >= 1)
      }
    }

    @Test("X22 a pipeline of seventeen workers, watched: each item is saved once")
    func x22() async throws {
      let saved = Passed<Int>()
      let reports = Reports()
      let pipeline: Pipeline<Nothing, Int> = Pipeline {
        Items(1...300)
        Parallel(3) { AddX(amount: 0) }
        Parallel(7) { Toils(thousands: 2) }
        Parallel(3) { AddX(amount: 0) }
        Parallel(2) { AddX(amount: 0) }
        Parallel(2) {
          Map { (item: Int) in
            saved.note(item)
            return item
          }
        }
      }
      try await pipeline.run(watch: .custom(reports))
      #expect(saved.all.sorted() == Array(1...300))
      let last = reports.all.filter { $0.phase == .complete }
      #expect(last.count == 5 && last.allSatisfy { $0.done == 300 })
      let slots = last.map { $0.detail.split(separator: "×")[0].prefix { $0 != " " } }
      #expect(slots.sorted() == ["2", "2", "3", "3", "7"])
      // What a stage is called is the same in each report.
      #expect(Set(reports.all.map(\.name)) == ["AddX", "Toils", "AddX 2", "AddX 3", "function"])
    }

    @Test("workers are shared out by the work that there is, at least one for each stage")
    func shares() {
      #expect(PipelineSnapshot.shares(of: 12, by: [7, 7, 42, 7]) == [2, 2, 7, 1])
      #expect(PipelineSnapshot.shares(of: 2, by: [1, 1, 1]) == [1, 1, 1])
      #expect(PipelineSnapshot.shares(of: 6, by: [0, 0]) == [1, 1])
      #expect(PipelineSnapshot.shares(of: 8, by: [1, 1]) == [4, 4])
    }
  }
}
