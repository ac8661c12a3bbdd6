import Logging
import Millrace
import MillraceObservability

#if Observability
import ServiceLifecycle
import UnixSignals

/// Takes its time, and says when it has begun.
struct Slow: StatelessWorker, Codable {
  func process(_ item: Int) async throws -> Int {
    if item == 0 { print("begun") }
    try await Task.sleep(for: .milliseconds(10))
    return item
  }
}

/// What uses the pool: begins a map, and is over before it.
struct Client: Service {
  let pool: WorkerPool

  func run() async throws {
    // Its work goes on when it has ended, as that of a server whose answers are still being made.
    work = Task { [pool] in try await pool.map(0..<40, with: Slow(), options: MapOptions(chunking: .size(1))).count }
    try await gracefulShutdown()
  }
}

nonisolated(unsafe) var work: Task<Int, any Error>?

let pool = try WorkerPool(.processes(2))
let group = ServiceGroup(
  services: [WorkerPoolService(pool, drainLimit: .seconds(20)), Client(pool: pool)],
  gracefulShutdownSignals: [.sigterm],
  logger: Logger(label: "group"))
try await group.run()
let outputs = try await work?.value ?? 0
do {
  _ = try await pool.map([1], with: Slow())
} catch let error as WorkerPoolError where error.kind == .closed {
  print("\(outputs) outputs, then closed")
}
#endif
