import Logging
import MillraceIPC

/// One item that was given to a pool with ``WorkerPool/submit(_:with:options:)``.
///
/// Its value can be asked for any number of times, also after the pool has ended. Dropping it does not cancel the item; if that
/// fails, and nobody has asked for its value or result, the pool logs the failure.
public final class Submission<Output: Sendable>: Sendable {
  private struct State {
    var result: Result<Output, any Error>?
    var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var lastWaiter: UInt64 = 0
    /// Whether somebody has seen the result, or waits for it.
    var isMinded = false
    /// In a serial pool: the levels from which somebody does the work.
    var drivers: Set<Int> = []
  }

  private let core: PoolCore
  private let job: JobRecord
  private let state = Lock(State())

  init(core: PoolCore, job: JobRecord) {
    self.core = core
    self.job = job
    // Where the consumers do the work, whoever asks for the value does.
    if core.driver == nil { Task(executorPreference: LaneThread.ofFork) { await self.drive() } }
  }

  deinit {
    let state = state.withLock { $0 }
    guard !state.isMinded, case .failure(let error) = state.result, !(error is CancellationError) else { return }
    core.logger.error("a submitted item failed, and nobody has asked for its value: \(error)")
  }

  /// What became of the item; nil as long as it is not finished.
  public var result: Result<Output, any Error>? {
    state.withLock { state in
      if state.result != nil { state.isMinded = true }
      return state.result
    }
  }

  /// Whether the item has an outcome.
  public var isFinished: Bool { state.withLock { $0.result != nil } }

  /// The output; waits for it.
  ///
  /// An item of the same pool may wait for it too, whoever has submitted it.
  ///
  /// - Throws: The item's ``ItemFailure``; a ``WorkerPoolError`` if the pool ended before, or of kind `nestedTooDeep` if more than
  ///   32 items of the pool would wait for each other; `CancellationError` if the waiting task is cancelled (the item goes on).
  public var value: Output {
    get async throws {
      state.withLock { $0.isMinded = true }
      if !isFinished {
        let wait = try core.waits(for: job)
        if core.driver != nil { driveApart() }
        await waitForResult()
        core.waited(wait)
      }
      guard let result else { throw CancellationError() }
      return try result.get()
    }
  }

  /// The output; waits for it, but not longer than the limit.
  ///
  /// - Throws: As ``value``, and a ``WorkerPoolError`` of kind `nextTimedOut`; the item goes on, and one may ask again.
  public func value(within limit: Duration) async throws -> Output {
    if let result { return try result.get() }
    return try await withThrowingTaskGroup(of: Output.self) { group in
      group.addTask { try await self.value }
      group.addTask {
        try await Task.sleep(nanoseconds: limit.nanoseconds)
        // It may have come just now, and not be told yet.
        if let result = self.result { return try result.get() }
        throw WorkerPoolError(.nextTimedOut, "no result within \(limit)")
      }
      defer { group.cancelAll() }
      return try await group.next()!
    }
  }

  /// Gives the item up: its value throws `CancellationError`, unless there is one already.
  public func cancel() {
    state.withLock { $0.isMinded = true }
    finish(.failure(CancellationError()))
    core.cancel(job)
  }

  /// Does the work in a task of its own: whoever waits may give up, and the item goes on. One at each level of items that wait, for the
  /// one before may be at an item that waits for this one.
  private func driveApart() {
    let level = Nesting.level(in: core)
    guard state.withLock({ $0.drivers.insert(level).inserted }) else { return }
    Task(executorPreference: LaneThread.ofFork) {
      await self.drive()
      self.state.withLock { _ = $0.drivers.remove(level) }
    }
  }

  /// Takes what becomes of the item. Where the consumers do the work several may be at it, of whom one gets it: whoever came first may wait for
  /// an item that waits for this one.
  private func drive() async {
    switch await core.next(job, limit: nil) {
    case .segment(let segment):
      switch segment.content {
      case .outputs(let outputs):
        finish(.success(unsafeDowncast(outputs, to: OutputBuffer<Output>.self)[segment.range.lowerBound]))
      case .failure(let failure): finish(.failure(failure))
      }
      // The job ends when its only item is taken.
      core.consumed(job, count: 1)
    case .end(.failed(let error)): finish(.failure(error))
    case .end(.complete) where job.isTaken: break
    case .end, .timedOut: finish(.failure(WorkerPoolError(.closed, "the pool was terminated")))
    }
  }

  private func finish(_ result: Result<Output, any Error>) {
    let waiters = state.withLock { state -> [UnsafeContinuation<Void, Never>]? in
      guard state.result == nil else { return nil }
      state.result = result
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    guard let waiters else { return }
    for waiter in waiters { waiter.resume() }
  }

  private func waitForResult() async {
    let id = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let isDone = state.withLock { state in
          if state.result != nil || Task.isCancelled { return true }
          state.waiters[id] = continuation
          return false
        }
        if isDone { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }
  }
}
