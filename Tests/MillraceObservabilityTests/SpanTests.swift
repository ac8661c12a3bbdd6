#if Observability
import InMemoryTracing
import Millrace
import MillraceObservability
import MillraceTesting
import TestSupport
import Testing
import Tracing

extension InMemoryTracer {
  func spans(_ name: String) -> [FinishedInMemorySpan] { finishedSpans.filter { $0.operationName == name } }
}

extension FinishedInMemorySpan {
  func number(_ name: String) -> Int? {
    switch attributes.get(name) {
    case .int32(let value): Int(value)
    case .int64(let value): Int(value)
    default: nil
    }
  }
}

private struct Misfortune: Error, Codable {}

extension Checked {
  /// Where items run in the program itself.
  @Suite("Spans of a pool") struct SpanTests {
    @Test("a map's span has its chunks', and those have their items', which the items see", arguments: Backends.shared)
    func nested(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      let (seen, request) = try await tracer.withSpan("request") { request in
        let seen = try await withWorkerPool(backend) { pool async throws in
          try pool.trace(.items, with: tracer)
          return try await pool.map(0..<6, options: MapOptions(chunking: .size(3))) { _ in
            ServiceContext.current?.inMemorySpanContext?.spanID
          }
        }
        return (seen, request.spanID)
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      let map = try #require(tracer.spans("millrace.map").first)
      #expect(tracer.spans("millrace.map").count == 1 && map.parentSpanID == request)
      #expect(map.number("millrace.items.total") == 6 && map.number("millrace.items.done") == 6)
      #expect(map.status == nil)
      let chunks = tracer.spans("millrace.chunk")
      #expect(chunks.reduce(0) { $0 + ($1.number("millrace.items.run") ?? 0) } == 6)
      #expect(chunks.allSatisfy { $0.parentSpanID == map.spanID })
      let items = tracer.spans("millrace.item").sorted { $0.number("millrace.item")! < $1.number("millrace.item")! }
      #expect(items.map { $0.number("millrace.item") } == Array(0..<6))
      #expect(items.map(\.spanID) == seen)
      #expect(Set(items.map(\.parentSpanID)).isSubset(of: chunks.map(\.spanID)))
      for span in chunks + items {
        #expect(span.startInstant.nanosecondsSinceEpoch <= span.endInstant.nanosecondsSinceEpoch)
        #expect(span.traceID == map.traceID)
      }
    }

    @Test("items see the context of their map's caller without any of this", arguments: Backends.shared)
    func byItself(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await tracer.withSpan("request") { request in
        try await withWorkerPool(backend) { pool async throws in
          let seen = try await pool.map(0..<3) { _ in ServiceContext.current?.inMemorySpanContext?.spanID }
          #expect(seen == [request.spanID, request.spanID, request.spanID])
        }
      }
    }

    @Test("an item that fails is said in its own span, its chunk's and its map's", arguments: Backends.shared)
    func failures(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(backend) { pool async throws in
        try pool.trace(.items, with: tracer)
        await #expect(throws: ItemFailure.self) {
          _ = try await pool.map(0..<4, options: MapOptions(chunking: .size(2), retry: .upTo(1))) { item in
            if item == 1 { throw Misfortune() }
          }
        }
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      let failed = tracer.spans("millrace.item").filter { $0.number("millrace.item") == 1 }
      #expect(
        failed.count == 2 && failed.allSatisfy { $0.status?.code == .error && $0.errors.first?.error is Misfortune })
      let map = try #require(tracer.spans("millrace.map").first)
      #expect(map.status?.code == .error && map.number("millrace.items.retried") == 1)
      #expect(map.events.map(\.name) == ["millrace.item.retried", "millrace.item.failed"])
      #expect(tracer.spans("millrace.chunk").contains { $0.status?.code == .error })
    }

    @Test("maps inside items are inside the items' spans")
    func inside() async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(.threads(2)) { pool async throws in
        try pool.trace(.items, with: tracer)
        _ = try await pool.map([0]) { _ in try await pool.map([1]) { $0 } }
      }
      #expect(await eventually { tracer.activeSpans.isEmpty && tracer.spans("millrace.item").count == 2 })
      let maps = tracer.spans("millrace.map")
      let outer = try #require(maps.first { $0.parentSpanID == nil })
      let inner = try #require(maps.first { $0.spanID != outer.spanID })
      let items = tracer.spans("millrace.item")
      #expect(items.contains { $0.spanID == inner.parentSpanID })
      #expect(inner.traceID == outer.traceID)
    }

    @Test("no span is left when a pool is ended in the midst of a map", arguments: Backends.shared)
    func ended(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(backend) { pool async throws in
        try pool.trace(.items, with: tracer)
        for try await output in pool.outputs(of: 0..., options: MapOptions(chunking: .size(2)), { $0 })
        where output == 9 {
          break
        }
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      #expect(tracer.spans("millrace.map").first?.attributes.get("millrace.end") == .string("cancelled"))
    }

    @Test("a map that is refused has a span that says so")
    func refused() async throws {
      let tracer = InMemoryTracer()
      let pool = try WorkerPool(.threads(1))
      try pool.trace(.maps, with: tracer)
      try await pool.shutdown()
      await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1]) { $0 } }
      #expect(tracer.activeSpans.isEmpty)
      #expect(tracer.spans("millrace.map").first?.status?.code == .error)
    }

    @Test("with less detail there are fewer spans", arguments: TraceDetail.allCases)
    func detail(_ detail: TraceDetail) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(.threads(1)) { pool async throws in
        try pool.trace(detail, with: tracer)
        _ = try await pool.map(0..<4, options: MapOptions(chunking: .size(2))) { $0 }
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      #expect(tracer.spans("millrace.map").isEmpty == (detail == .context))
      #expect(tracer.spans("millrace.chunk").isEmpty == [.context, .maps].contains(detail))
      #expect(tracer.spans("millrace.item").isEmpty == (detail != .items))
    }
  }
}
#endif
