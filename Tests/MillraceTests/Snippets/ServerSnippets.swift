import Logging
import Millrace

// What "On a server" and the page of `WorkerPool` show.

struct Numbered: StatelessWorker {
  func process(_ line: String) -> String {
    guard let context = WorkerContext.current else { return line }
    context.logger.debug("begun")
    return "\(context.index): \(line)"
  }
}

enum ServerSnippets {
  struct Render: StatelessWorker {
    struct Unreadable: Error, Codable {}

    func process(_ document: String) throws -> String {
      if document.isEmpty { throw Unreadable() }
      return "<p>\(document)</p>"
    }
  }

  static func pool(_ logger: Logger) throws -> WorkerPool {
    let pool = try WorkerPool(.processes(), logger: logger)

    return pool
  }

  static func page(_ pool: WorkerPool, _ document: String) async throws -> String {
    let page = try await pool.run(
      document, with: Render(), options: ItemOptions(timeouts: MapOptions.Timeouts(item: .seconds(2)), setUp: .lazy))

    return page
  }

  static func status(of error: any Error) -> Int {
    switch error {
    case let failure as ItemFailure:
      switch failure.cause {
      case .threw(is Render.Unreadable): 422  // the document's fault
      case .timedOut: 504
      default: 500  // crashed, exited, threw something else: the log says more than the client needs to know
      }
    case let error as WorkerPoolError where error.kind == .closed: 503  // the server is going down
    case let error as WorkerPoolError where error.kind == .queueFull: 503  // too many wait already
    case let error as WorkerPoolError where error.kind == .timedOut: 504
    case is CancellationError: 499  // nobody waits for the answer any more
    default: 500
    }
  }

  static func quiet() -> WorkerPool.ProcessOptions {
    let options = WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"])

    return options
  }
}
