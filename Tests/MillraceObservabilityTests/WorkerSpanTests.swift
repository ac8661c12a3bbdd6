#if Observability
import Foundation
import InMemoryTracing
import Logging
import Millrace
import MillraceIPC
import MillraceObservability
import MillraceTesting
import TestSupport
import Testing
import Tracing

/// The tracer of a worker process, whose spans have numbers of their own.
enum WorkerTracer: WorkerTelemetry {
  static let numbers = Lock(0)
  static let tracer = InMemoryTracer(
    idGenerator: InMemoryTracer.IDGenerator(
      nextTraceID: { "lost" },
      nextSpanID: { "\(getpid())-\(numbers.withLock { $0 += 1; return $0 })" }))

  static func start() { InstrumentationSystem.bootstrap(tracer) }
}

/// What of a span travels home.
struct SeenSpan: Codable, Equatable {
  var name: String
  var trace: String
  var id: String
  var parent: String?
  var hasFailed = false
}

/// Says in which span its items are, and hands the spans of its process back.
struct Seeing: Worker, Codable {
  var fails: Int?
  var traps: Int?

  func setUp(_ context: WorkerContext) {}

  func process(_ item: Int, state: inout Void) throws -> SeenSpan? {
    if item == traps { fatalError("an accident") }
    if item == fails { throw CocoaError(.featureUnsupported) }
    guard let span = ServiceContext.current?.inMemorySpanContext else { return nil }
    return SeenSpan(name: "item", trace: span.traceID, id: span.spanID, parent: span.parentSpanID)
  }

  func tearDown(_ state: Void) -> [SeenSpan] {
    WorkerTracer.tracer.finishedSpans.map { span in
      SeenSpan(
        name: span.operationName, trace: span.traceID, id: span.spanID, parent: span.parentSpanID,
        hasFailed: span.status?.code == .error)
    }
  }
}

/// Bootstraps logging as well.
enum LoggingTelemetry: WorkerTelemetry {
  static func start() {
    InstrumentationSystem.bootstrap(WorkerTracer.tracer)
    LoggingSystem.bootstrap(
      { _, _ in SwiftLogNoOpLogHandler() },
      metadataProvider: Logger.MetadataProvider {
        guard let span = ServiceContext.current?.inMemorySpanContext else { return [:] }
        return ["trace": "\(span.traceID)", "place": "the process"]
      })
  }
}

private struct SaysWhere: StatelessWorker, Codable {
  func process(_ item: Int) { WorkerContext.current?.logger.info("here", metadata: ["place": "the item"]) }
}

extension Checked {
  /// Where items run in processes of their own.
  @Suite("Spans across processes", .forks) struct WorkerSpanTests {
    private static let backends = [
      WorkerPool.Backend.processes(2), Backends.spawning, Backends.forking, Backends.crowded, .sockets(2),
    ]

    @Test("spans of items in worker processes are inside their chunks', which the program made", arguments: backends)
    func joined(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(backend) { pool async throws in
        try pool.trace(.items, with: tracer, inWorkers: WorkerTracer.self)
        let request = tracer.startSpan("request")
        let seen = try await ServiceContext.$current.withValue(request.context) {
          try await pool.map(0..<12, with: Seeing(), options: MapOptions(chunking: .size(3)))
        }
        request.end()
        let ended = try await pool.tearDown(Seeing()).flatMap { try $0.result.get() }
        #expect(await eventually { tracer.activeSpans.isEmpty })
        let map = try #require(tracer.spans("millrace.map").first)
        #expect(map.parentSpanID == request.spanID && map.traceID == request.traceID)
        let chunks = tracer.spans("millrace.chunk")
        #expect(chunks.count >= 4 && chunks.allSatisfy { $0.parentSpanID == map.spanID })
        let spans = seen.compactMap(\.self)
        #expect(spans.count == 12 && Set(spans.map(\.id)).count == 12)
        #expect(spans.allSatisfy { $0.trace == request.traceID })
        #expect(Set(spans.map(\.parent)).isSubset(of: chunks.map(\.spanID)))
        // What a worker process has made, its exporter has. Threads of one process share it.
        #expect(Set(spans.map(\.id)).isSubset(of: ended.map(\.id)))
        #expect(ended.allSatisfy { $0.name == "millrace.item" })
      }
    }

    @Test("the caller's context alone travels, too", arguments: backends)
    func context(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(backend) { pool async throws in
        try pool.trace(.context, with: tracer, inWorkers: WorkerTracer.self)
        #expect(pool.observerCount == 0)
        for number in 0..<2 {
          // Workers stay, and each map has its own caller.
          let request = tracer.startSpan("request \(number)")
          let seen = try await ServiceContext.$current.withValue(request.context) {
            try await pool.map(["a", "bcd"], with: SeesContext(), options: MapOptions(chunking: .size(1)))
          }
          request.end()
          #expect(seen == ["a \(request.spanID)", "bcd \(request.spanID)"])
        }
        #expect(try await pool.map(["a"], with: SeesContext()) == ["a nothing"])
      }
      #expect(tracer.finishedSpans.count == 2)
    }

    @Test("U172: to stages with slots of their own as well", .timeLimit(.minutes(1)), arguments: backends)
    func ownSlots(_ backend: WorkerPool.Backend) async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(backend) { pool async throws in
        try pool.trace(.context, with: tracer, inWorkers: WorkerTracer.self)
        let request = tracer.startSpan("request")
        let seen = try await ServiceContext.$current.withValue(request.context) {
          try await Pipeline<String, String> { Parallel(2) { SeesContext() } }.list(of: ["a", "bcd"], on: pool)
        }
        request.end()
        #expect(seen == ["a \(request.spanID)", "bcd \(request.spanID)"])
      }
    }

    @Test("a closure in a forked worker sees it")
    func closure() async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(.processes(1)) { pool async throws in
        try pool.trace(.chunks, with: tracer, inWorkers: WorkerTracer.self)
        let seen = try await pool.map(0..<3) { _ in ServiceContext.current?.inMemorySpanContext?.traceID }
        #expect(await eventually { !tracer.spans("millrace.map").isEmpty })
        let trace = tracer.spans("millrace.map").first?.traceID
        #expect(seen == [trace, trace, trace])
      }
    }

    @Test("errors and traps in worker processes are in the spans")
    func accidents() async throws {
      let tracer = InMemoryTracer()
      try await withWorkerPool(.processes(1)) { pool async throws in
        try pool.trace(.items, with: tracer, inWorkers: WorkerTracer.self)
        let options = MapOptions(chunking: .size(2))
        _ = try await pool.map(0..<6, with: Seeing(fails: 1), onFailure: .skip, options: options)
        let ended = try await pool.tearDown(Seeing(fails: 1)).flatMap { try $0.result.get() }
        #expect(ended.map(\.hasFailed) == [false, true, false, false, false, false])
        _ = try await pool.map(0..<6, with: Seeing(traps: 2), onFailure: .skip, options: options)
      }
      #expect(await eventually { tracer.activeSpans.isEmpty })
      let maps = tracer.spans("millrace.map")
      #expect(maps.map { $0.number("millrace.items.failed") } == [1, 1])
      let lost = tracer.spans("millrace.chunk").filter { $0.status?.message?.contains("trapped") == true }
      #expect(lost.count == 1)
      #expect(maps[1].events.map(\.name) == ["millrace.item.failed"])
    }

    @Test("records of worker processes have what the metadata provider there knows of the item")
    func metadata() async throws {
      let (heard, tracer) = (Heard(), InMemoryTracer())
      try await withWorkerPool(.processes(1), logger: heard.logger()) { pool async throws in
        try pool.trace(.items, with: tracer, inWorkers: LoggingTelemetry.self)
        let request = tracer.startSpan("request")
        try await ServiceContext.$current.withValue(request.context) {
          try await pool.forEach(0..<3, with: SaysWhere())
        }
        request.end()
        #expect(await eventually { heard.lines.count { $0.message == "here" } == 3 })
        for (index, line) in heard.lines.filter({ $0.message == "here" }).enumerated() {
          #expect(line.metadata["trace"] == request.traceID && line.metadata["item"] == "\(index)", "\(line)")
          // What the record itself says counts more.
          #expect(line.metadata["place"] == "the item" && line.metadata["slot"] == "0")
        }
      }
    }

    @Test("nothing is sent where nobody traces, and a process without a tracer sees nothing")
    func without() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        #expect(try await pool.map(["a"], with: SeesContext()) == ["a nothing"])
        try pool.trace(.items, with: InMemoryTracer())
        #expect(try await pool.map(["a"], with: SeesContext()) == ["a nothing"])
      }
    }
  }
}

/// With items that are no plain numbers, so that they are read one by one.
private struct SeesContext: StatelessWorker, Codable {
  func process(_ item: String) -> String {
    "\(item) \(ServiceContext.current?.inMemorySpanContext?.spanID ?? "nothing")"
  }
}
#endif
