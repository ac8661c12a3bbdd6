#if Observability
import MetricsTestKit
import Millrace
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
  func process(_ item: Int) -> Int {
    precondition(item != 2, "an accident")
    return item
  }
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
