#if Observability
import Foundation
import MetricsTestKit
@testable import Millrace
import MillraceObservability
import MillraceTesting
import TestSupport
import Testing

private struct Misfortune: Error, Codable {}

/// Returns what it is given, but for a tenth of it, and once more for another.
private struct Fussy: Worker, Codable {
  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
    if item % 10 == 3 || item % 10 == 7 && context.attempt == 1 { throw Misfortune() }
    return item
  }
}

private struct Trapping: StatelessWorker, Codable {
  var at: Int? = 2

  /// One that does not.
  static func none() -> Trapping { Trapping(at: nil) }

  func process(_ item: Int) -> Int {
    precondition(item != at, "an accident")
    return item
  }
}

private struct Napping: StatelessWorker, Codable {
  func process(_ item: Int) async throws { try await Task.sleep(for: .milliseconds(10)) }
}

private struct Dawdling: StatelessWorker, Codable {
  func process(_ item: Int) async throws -> Int {
    if item == 1 { while true { try await Task.sleep(for: .seconds(1)) } }
    return item
  }
}

extension TestMetrics {
  func count(_ label: String, _ more: (String, String)...) -> Int64 {
    counterTotal(label: label, dimensions: [("pool", "tested")] + more)
  }

  func level(_ label: String) -> Double? { recorders(label: label, dimensions: [("pool", "tested")]).first?.lastValue }

  func times(_ label: String) -> [Int64] { timers(label: label).flatMap(\.values) }
}

extension Checked {
  @Suite("Metrics of a pool") struct MetricsTests {
    @Test("what items come to is counted, on every backend", arguments: Backends.everything)
    func outcomes(_ backend: WorkerPool.Backend) async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(backend) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        #expect(metrics.level("millrace.slots") == Double(pool.width))
        let outputs = try await pool.map(
          0..<100, with: Fussy(), onFailure: .skip, options: MapOptions(chunking: .size(10), retry: .upTo(1)))
        #expect(outputs.count == 90)
      }
      #expect(await eventually { metrics.count("millrace.maps", ("end", "complete")) == 1 })
      #expect(await eventually { metrics.level("millrace.slots") == 0 })
      #expect(metrics.count("millrace.items.read") == 100)
      #expect(metrics.count("millrace.items", ("outcome", "done")) == 90)
      #expect(metrics.count("millrace.items", ("outcome", "failed")) == 10)
      #expect(metrics.count("millrace.items.retried") == 20)
      #expect(metrics.count("millrace.workers.crashed") == 0)
      let chunks = metrics.times("millrace.chunk.duration")
      #expect(chunks.count >= 10 && chunks.count == metrics.times("millrace.item.duration").count)
      #expect(chunks.allSatisfy { $0 > 0 })
      #expect(!metrics.times("millrace.worker.set_up.duration").isEmpty)
      for gauge in ["millrace.slots.busy", "millrace.maps.running", "millrace.items.waiting", "millrace.items.running"]
      {
        #expect(metrics.level(gauge) == 0, "\(gauge)")
      }
    }

    @Test("what waits and what runs stands in the gauges while it does")
    func levels() async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(.tasks(1)) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        let (gate, opening) = AsyncStream.makeStream(of: Void.self)
        let map = Task {
          try await pool.map([0, 1, 2], options: MapOptions(chunking: .size(1))) { item in
            if item == 0 { for await _ in gate { break } }
            return item
          }
        }
        #expect(await eventually { metrics.level("millrace.slots.busy") == 1 })
        #expect(await eventually { metrics.level("millrace.maps.running") == 1 })
        let held = await eventually {
          (metrics.level("millrace.items.waiting") ?? 0) + (metrics.level("millrace.items.running") ?? 0) == 3
        }
        #expect(held)
        opening.yield()
        #expect(try await map.value == [0, 1, 2])
      }
    }

    @Test("members that come and go, and what they bring too late, are counted, and no longer when the pool has ended")
    func members() async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(.threads(1)) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        func step(_ body: (inout Dispatcher, UInt64) -> Void) { pool.core.step(body) }
        step { $0.memberJoined(PoolMember(name: "a", slots: 3), now: $1) }
        step { $0.memberJoined(PoolMember(name: "b", slots: 4), now: $1) }
        #expect(await eventually { metrics.level("millrace.members") == 2 })
        #expect(metrics.level("millrace.members.slots") == 7)
        step { $0.resultsLate(of: "a", count: 2, now: $1) }
        step { $0.memberLeft("a", isLost: true, now: $1) }
        step { $0.memberJoined(PoolMember(name: "c"), now: $1) }
        step { $0.memberLeft("c", isLost: false, now: $1) }
        step { $0.resultsLate(of: "a", count: 1, now: $1) }
        #expect(await eventually { metrics.level("millrace.members.slots") == 4 })
        #expect(pool.snapshot.lateResults == 3)
      }
      #expect(await eventually { metrics.level("millrace.members") == 0 })
      #expect(metrics.count("millrace.members.joined") == 3)
      #expect(metrics.count("millrace.members.left", ("how", "lost")) == 1)
      #expect(metrics.count("millrace.members.left", ("how", "told")) == 1)
      #expect(metrics.count("millrace.results.late") == 3)
    }

    @Test("crashes, restarts and limits on time are counted", .forks)
    func accidents() async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(.processes(1)) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(300)))
        #expect(try await pool.map(0..<6, with: Trapping(), onFailure: .skip, options: options).count == 5)
        #expect(try await pool.map(0..<3, with: Dawdling(), onFailure: .skip, options: options).count == 2)
      }
      #expect(await eventually { metrics.count("millrace.maps", ("end", "complete")) == 2 })
      #expect(metrics.count("millrace.workers.crashed") == 1)
      #expect(metrics.count("millrace.items.timed_out") == 1)
      #expect(metrics.count("millrace.workers.restarted", ("cause", "crash")) == 1)
      #expect(metrics.count("millrace.workers.restarted", ("cause", "timeout")) == 1)
      #expect(metrics.count("millrace.bytes.sent") > 0)
    }

    @Test(
      "workers that are replaced for their lifespan, or because the pool became wider again; how long starts take",
      .forks)
    func replacements() async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(.processes(2)) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        let short = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 1))
        #expect(try await pool.map(0..<6, with: Trapping.none(), options: short).count == 6)
        #expect(metrics.count("millrace.workers.restarted", ("cause", "lifespan")) >= 3)
        #expect(metrics.count("millrace.workers.restarted", ("cause", "other")) == 0)
        // A slot that was given up has another worker when there is one again. Both have one now that has reached no end of its life.
        let single = MapOptions(chunking: .size(1))
        for _ in 0..<50 where pool.stateLine != "ii" {
          _ = try await pool.map(0..<4, with: Napping(), options: single)
          _ = await eventually { !pool.stateLine.contains("R") && !pool.stateLine.contains(".") }
        }
        try pool.resize(to: 1)
        #expect(await eventually { pool.snapshot.slots[1].state == .closed })
        try pool.resize(to: 2)
        for _ in 0..<50 where metrics.count("millrace.workers.restarted", ("cause", "other")) == 0 {
          _ = try await pool.map(0..<4, with: Napping(), options: single)
        }
        #expect(metrics.count("millrace.workers.restarted", ("cause", "other")) == 1)
        let starts = metrics.times("millrace.worker.start.duration")
        #expect(starts.count >= 4 && starts.allSatisfy { $0 > 0 })
        #expect(metrics.count("millrace.bytes.sent") > 0 && metrics.count("millrace.bytes.received") > 0)
        #expect(!metrics.recorders(label: "millrace.worker.memory").flatMap(\.values).isEmpty)
      }
      #expect(metrics.count("millrace.workers.crashed") == 0)
    }

    @Test("the page of metrics names those that there are, each with its kind and dimensions")
    func page() throws {
      let metrics = TestMetrics()
      let pool = try WorkerPool(.serial)
      pool.reportMetrics(as: "tested", to: metrics)
      struct Row: Hashable {
        var name: String
        var kind: String
        var dimensions: Set<String>
      }
      func row(_ label: String, _ kind: String, _ dimensions: [(String, String)]) -> Row {
        // A value of each is a counter of its own.
        Row(
          name: label, kind: kind,
          dimensions: Set(dimensions.map { $0.0 == "pool" ? "" : $0.0 + " " + $0.1 }).subtracting([""]))
      }
      var made: [String: Row] = [:]
      func add(_ row: Row) {
        made[row.name, default: row].dimensions.formUnion(row.dimensions)
      }
      for counter in metrics.counters { add(row(counter.label, "counter", counter.dimensions)) }
      for timer in metrics.timers { add(row(timer.label, "timer", timer.dimensions)) }
      for recorder in metrics.recorders {
        // A gauge is one that adds nothing up.
        add(row(recorder.label, recorder.aggregate ? "recorder" : "gauge", recorder.dimensions))
      }
      let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Sources/Millrace/Millrace.docc/Observability.md")
      let lines = try String(contentsOf: source, encoding: .utf8).split(separator: "\n")
      let written = lines.filter { $0.hasPrefix("| `millrace.") }.map { line -> Row in
        let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
          $0.trimmingCharacters(in: .whitespaces)
        }
        // `name`: `value`, `value`
        let words = cells[4].split(separator: "`").map(String.init).filter { $0.contains { $0.isLetter } }
        let dimensions = words.dropFirst().map { words[0] + " " + $0 }
        return Row(
          name: cells[1].filter { $0 != "`" }, kind: cells[2], dimensions: Set(dimensions))
      }
      #expect(written.count == 24)
      let missing = Set(written).symmetricDifference(made.values)
      #expect(missing.isEmpty, "\(missing)")
    }

    @Test("U256: what was done before is no work of this pool's")
    func restored() async throws {
      let metrics = TestMetrics()
      try await withWorkerPool(.threads(2)) { pool async throws in
        pool.reportMetrics(as: "tested", to: metrics)
        let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(
          of: ItemSource(Array(0..<100)), with: Trapping.none(),
          knowing: DeliveredItems([UInt8](repeating: 255, count: 12)))
        var count = 0
        for try await _ in outcomes { count += 1 }
        #expect(count == 4)
      }
      #expect(await eventually { metrics.count("millrace.maps", ("end", "complete")) == 1 })
      #expect(metrics.count("millrace.items", ("outcome", "done")) == 4)
    }

    @Test("a pool that nobody looks at has no observer")
    func off() async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        #expect(pool.observerCount == 0)
        pool.reportMetrics(to: TestMetrics())
        #expect(pool.observerCount == 1)
      }
    }
  }
}
#endif
