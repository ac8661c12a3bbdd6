import MillraceIPC

/// What a map's items in this process see of the task that made it: its task-local values and its priority.
///
/// Task-local values cannot be taken from a task, only inherited by the tasks that it makes. So a map has a task of its own,
/// made where the map is, which does nothing but make others. It needs no thread: it is its own executor, and is run by
/// whoever wants a task of it, where they are, for the moment that this takes. So no chunk pays for a wake-up.
package final class CallerContext: TaskExecutor, Sendable {
  private struct Order: Sendable {
    let executor: (any TaskExecutor)?
    let body: @Sendable () async -> Void
    let made: @Sendable (Task<Void, Never>) -> Void
  }

  private struct State {
    var orders = FIFO<Order>()
    var isEnded = false
    /// The task waits for orders.
    var waiter: UnsafeContinuation<Void, Never>?
    /// The task wants to be run.
    var job: UnownedJob?
    /// Somebody runs it.
    var isRunning = false
  }
  private let state = Lock(State())

  /// Inherits from the calling task.
  package init() {
    Task(executorPreference: self) {
      while let order = await self.nextOrder() {
        order.made(Task(executorPreference: order.executor, operation: order.body))
      }
    }
  }

  /// Makes a task that has this context, and hands it to `made`, perhaps after it began; false if the context has ended.
  package func spawn(
    on executor: (any TaskExecutor)?, _ body: @escaping @Sendable () async -> Void,
    made: @escaping @Sendable (Task<Void, Never>) -> Void
  ) -> Bool {
    let order = Order(executor: executor, body: body, made: made)
    let isAccepted = state.withLock { state in
      if !state.isEnded { state.orders.append(order) }
      return !state.isEnded
    }
    if isAccepted { run() }
    return isAccepted
  }

  /// No more tasks will be wanted: the values are let go of.
  package func end() {
    state.withLock { $0.isEnded = true }
    run()
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.job = job }
  }

  private func run() {
    Unlocked.expect("a map's context")
    state.withLock { state in
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
    // Who finds it running leaves it to whoever runs it.
    while let job = takeJob() {
      job.runSynchronously(on: asUnownedTaskExecutor())
      state.withLock { $0.isRunning = false }
    }
  }

  private func takeJob() -> UnownedJob? {
    state.withLock { state in
      guard !state.isRunning, let job = state.job else { return nil }
      state.job = nil
      state.isRunning = true
      return job
    }
  }

  private func nextOrder() async -> Order? {
    while true {
      let (order, isEnded) = state.withLock { ($0.orders.popFirst(), $0.isEnded) }
      if let order { return order }
      if isEnded { return nil }
      await withUnsafeContinuation { continuation in
        let mustWait = state.withLock { state in
          if state.isEnded || !state.orders.isEmpty { return false }
          state.waiter = continuation
          return true
        }
        if !mustWait { continuation.resume() }
      }
    }
  }
}
