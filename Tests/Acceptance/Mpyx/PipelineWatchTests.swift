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

    @Test("U324: a suggestion is of no more slots than a pool can have, and of one a stage at least")
    func suggestions() async throws {
      let run = try Pipeline { Items(0..<50) }.stage(Tap("See") { (_: Int) in }).stage(Tap("See") { (_: Int) in })
        .start()
      try await run.wait()
      for workers in [Int.max, 10_000_000, 4_097] {
        #expect(await run.suggest(workers: workers).map(\.slots).reduce(0, +) == 4_096)
        #expect(await run.snapshot.suggestedWidths(workers: workers).reduce(0, +) == 4_096)
      }
      for workers in [Int.min, -3, 0, 1, 2] { #expect(await run.suggest(workers: workers).map(\.slots) == [1, 1]) }
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

    @Test("U272: where a run is watched, it is said which widths of groups would make it faster")
    func widths() async throws {
      func watched(_ pipeline: Pipeline<Nothing, Int>) async throws -> [String: String] {
        let reports = Reports()
        try await pipeline.run(watch: .custom(reports))
        return reports.all.filter { $0.phase == .complete }.reduce(into: [:]) { $0[$1.name] = $1.detail }
      }
      // Two stations in the three slots of one group count as one.
      let narrow: Pipeline<Nothing, Int> = Pipeline {
        Items(0..<300)
        Parallel(3) {
          FlatMap { (item: Int) in CollectionOfOne(item) }
          AddX(amount: 0)
        }
        Parallel(1) { Toils(thousands: 40) }
      }
      let found = try await watched(narrow)
      let detail = try #require(found["Toils"])
      let load = try #require(detail.split(separator: " ").compactMap { Int($0) }.first)
      #expect(detail.hasPrefix("×1 ") && detail.contains("(bottleneck"))
      // How much of a short run its start and its end are is not its matter.
      let better = ", better ×\(max(WorkerPool.usableCPUs, 4) - 1))"
      if load != 80 { #expect(detail.contains(better) == (load > 80), "\(found)") }
      // Who shares the pipeline's slots, or sees its items in order, has no width that might be another.
      let none: Pipeline<Nothing, Int> = Pipeline {
        Items(0..<100)
        Toils(thousands: 1)
        Serial { Toils(thousands: 40) }
      }
      let others = try await watched(none)
      #expect(others["Toils 2"]?.hasSuffix("% (bottleneck)") == true, "\(others)")
      #expect(!others.values.contains { $0.contains("better") })
    }

    @Test("U272: groups of a width are shared out among themselves, and stages of one group are one")
    func betterWidths() {
      final class Name {}
      let (one, other) = (Name(), Name())
      func better(_ parts: [(UInt64, Int, Name?)], _ slowest: Int, _ workers: Int) -> [Int?] {
        PipelineSnapshot.betterWidths(
          parts.map { PipelineSnapshot.Part(busy: $0.0, slots: $0.1, group: $0.2.map(ObjectIdentifier.init)) },
          slowest: slowest, workers: workers)
      }
      withExtendedLifetime((one, other)) {
        #expect(better([(1, 3, one), (9, 1, other)], 1, 2) == [1, 3])
        #expect(better([(1, 3, one), (1, 3, one), (40, 1, other)], 2, 2) == [1, 1, 3])
        #expect(better([(1, 1, one), (9, 1, other)], 1, 8) == [nil, 7])
        // They are as good as may be, or it is another that would hold it up as much.
        #expect(better([(1, 1, one), (3, 3, other)], 1, 4) == [nil, nil])
        #expect(better([(1, 3, one), (9, 1, other), (9, 1, nil)], 1, 4) == [nil, nil, nil])
        #expect(better([(1, 3, one), (9, 1, nil)], 1, 4) == [nil, nil])
        #expect(better([(4, 4, nil), (9, 1, other)], 1, 4) == [nil, 4])
      }
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
