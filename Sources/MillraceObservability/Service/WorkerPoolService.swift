#if Observability
import Logging
public import Millrace
public import ServiceLifecycle

/// A pool as one of the services of a program: it ends when the others, which use it, have ended.
///
/// ```swift
/// let pool = try WorkerPool(.processes(), logger: logger)
/// let group = ServiceGroup(
///   services: [WorkerPoolService(pool, drainLimit: .seconds(20)), server], gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await group.run()
/// ```
///
/// A `ServiceGroup` ends its services in the reverse of their order, so the pool comes before those that use it.
public struct WorkerPoolService: Service {
  private let pool: WorkerPool
  private let drainLimit: Duration

  /// - Parameters:
  ///   - pool: The pool. It is there for others from the beginning, and its workers start with its first map.
  ///   - drainLimit: How long what was begun may take to be finished at a graceful shutdown. What is left then is given up, and its worker
  ///     ended; a warning says so. It should be less than what the group, and whoever sends SIGKILL in the end, have patience for.
  public init(_ pool: WorkerPool, drainLimit: Duration = .seconds(25)) {
    self.pool = pool
    self.drainLimit = drainLimit
  }

  /// Waits for the graceful shutdown, then takes no more maps, finishes those that were begun, and ends the workers. When the task is cancelled,
  /// at any time, what was begun is given up.
  public func run() async throws {
    // Cancelled instead: the shutdown, whose task this is, sees that too, and gives up.
    try? await gracefulShutdown()
    let (pool, limit) = (pool, drainLimit)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await pool.shutdown()
        return true
      }
      group.addTask {
        try? await Task.sleep(nanoseconds: limit.nanoseconds)
        return false
      }
      let hasDrained = try await group.next() ?? true
      if !hasDrained, !Task.isCancelled {
        pool.logger.warning("the pool had not finished what was begun after \(limit), and gives it up")
      }
      // A shutdown that is cancelled gives up what is left, and is waited for.
      group.cancelAll()
      while try await group.next() != nil {}
    }
  }
}

extension WorkerPoolService: CustomStringConvertible {
  /// What the group's log calls it.
  public var description: String { "WorkerPoolService" }
}
#endif
