#if Observability
import Logging
import Millrace
import MillraceObservability
import ServiceLifecycle
import Tracing
import UnixSignals

// What "Observability" and "On a server" show.

enum ObservabilitySnippets {
  struct Fetch: StatelessWorker, Codable {
    func process(_ url: String) -> Int { url.count }
  }

  struct Server: Service {
    func run() async throws { try await gracefulShutdown() }
  }

  enum Telemetry: WorkerTelemetry {
    static func start() {
      InstrumentationSystem.bootstrap(NoOpTracer())
    }
  }

  static func metrics() async throws -> [Int] {
    try await withWorkerPool(.processes(4)) { pool in
      pool.reportMetrics(as: "pages")
      return try await pool.map(["https://swift.org"], with: Fetch())
    }
  }

  static func traces(_ urls: [String]) async throws -> [Int] {
    try await withWorkerPool(.processes(4)) { pool in
      try pool.trace(.items, inWorkers: Telemetry.self)
      return try await withSpan("crawl") { _ in
        try await pool.map(urls, with: Fetch())
      }
    }
  }

  static func service(_ logger: Logger) async throws {
    let server = Server()

    let pool = try WorkerPool(.processes(), logger: logger)
    let group = ServiceGroup(
      services: [WorkerPoolService(pool, drainLimit: .seconds(20)), server],
      gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
    try await group.run()
  }
}
#endif
