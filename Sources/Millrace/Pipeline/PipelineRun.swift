import MillraceIPC

/// A pipeline that was begun and runs by itself; its outputs are dropped, so its last stage is where they go.
///
/// It goes on to its end whether or not anybody waits for that.
public final class PipelineRun: Sendable {
  /// How a run is ended before its time.
  @nonexhaustive
  public enum Stop: Sendable, Hashable {
    /// The sources are read no further; what was read goes through.
    case drain
    /// What is under way is given up.
    case now
  }

  /// What a run is doing.
  @nonexhaustive
  public enum State: Sendable, Hashable {
    case running
    /// The sources are not read; what was read goes on.
    case paused
    /// It was told to stop, and does.
    case stopping
    /// It is over, by its input's end or because it was told to.
    case finished
    /// It is over, with an error, which `wait` throws.
    case failed
  }

  private let engine: PipelineEngine
  private let consumer: PipelineConsumer
  private let told = Lock(State.running)

  init(_ engine: PipelineEngine, _ consumer: PipelineConsumer) {
    self.engine = engine
    self.consumer = consumer
    engine.tell { $0.wantsAll() }
  }

  var inside: RunScope { engine.inside }

  /// What it is doing.
  public var state: State {
    switch engine.end.result {
    case nil: told.withLock { $0 }
    case .success?: .finished
    case .failure?: told.withLock { $0 } == .stopping && isGivenUp ? .finished : .failed
    }
  }

  private var isGivenUp: Bool { if case .failure(is CancellationError)? = engine.end.result { true } else { false } }

  /// What it is at, stage by stage.
  public var snapshot: PipelineSnapshot {
    get async {
      await withUnsafeContinuation { continuation in
        engine.tell { continuation.resume(returning: $0.snapshot()) }
      }
    }
  }

  /// How many slots each stage would have if so many workers were shared out by the work that was measured up to now, one for each
  /// stage at least. Elastic stages need none of that: they share the pipeline's slots as they need them.
  ///
  /// - Parameter workers: How many there are, from 1 to 4096, which is as wide as a pool can be: more count as 4096, fewer as 1.
  public func suggest(workers: Int = WorkerPool.usableCPUs) async -> [(stage: String, slots: Int)] {
    let snapshot = await snapshot
    return zip(snapshot.stages, snapshot.suggestedWidths(workers: workers)).map { ($0.name, $1) }
  }

  /// Waits until nothing of it is left; throws what has ended it.
  ///
  /// If the waiting task is cancelled, the wait is over and the run goes on: it can be waited for again, or stopped.
  ///
  /// - Throws: `CancellationError` if the task is cancelled; a ``WorkerPoolError`` of kind `calledFromItem` where the run would wait for
  ///   itself: in its items, set-ups, tear-downs and sources.
  public func wait() async throws {
    try engine.expectOutside("wait()")
    try await inside.waiting { try await engine.end.waitOrUntilCancelled() }
    try ended()
  }

  /// As `wait`, but not longer than the limit.
  ///
  /// - Throws: As `wait`, and a ``WorkerPoolError`` of kind `nextTimedOut`; the run goes on, and one may wait again.
  public func wait(within limit: Duration) async throws {
    try engine.expectOutside("wait(within:)")
    if engine.end.result != nil { return try ended() }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await self.wait() }
      group.addTask {
        try await ContinuousClock().sleep(for: limit.boundedForClocks)
        // It may be over just now.
        if self.engine.end.result != nil { return try self.ended() }
        throw WorkerPoolError(.nextTimedOut, "the run is not over within \(limit)")
      }
      defer { group.cancelAll() }
      try await group.next()!
    }
  }

  /// As `wait`, whoever cancels, for the run's own.
  func finish() async throws {
    await engine.end.wait()
    try ended()
  }

  private func ended() throws {
    if state != .finished || !isGivenUp { try engine.end.result?.get() }
    try consumer.throwFailures()
  }

  /// As `wait`; gives the run up if the waiting task is cancelled.
  func waitOrCancel() async throws {
    try await inside.waiting {
      await withTaskCancellationHandler {
        await engine.end.wait()
      } onCancel: {
        engine.tell { $0.cancel() }
      }
    }
    try engine.end.result?.get()
    try consumer.throwFailures()
  }

  /// Ends it before its time, and waits until nothing of it is left; throws what has ended it, as `wait` does. If the task is cancelled
  /// meanwhile, what is under way is given up.
  ///
  /// - Throws: What has failed before it was over: with `.drain` until what was read has gone through and the stages are torn down,
  ///   with `.now` until it was given up, which is no failure. A ``WorkerPoolError`` of kind `calledFromItem` where the run would wait for
  ///   itself: in its items, set-ups, tear-downs and sources. Then it is not stopped.
  public func stop(_ how: Stop = .drain) async throws {
    try engine.expectOutside("stop()")
    told.withLock { $0 = .stopping }
    engine.tell { engine in
      engine.pause(false)
      if how == .drain { engine.drain() } else { engine.stopNow() }
    }
    try await inside.waiting {
      await withTaskCancellationHandler {
        await engine.end.wait()
      } onCancel: {
        engine.tell { $0.stopNow() }
      }
    }
    try ended()
  }

  /// Reads the sources no further, until `resume`; what was read goes on.
  ///
  /// A ``Source`` waits in its next `put`. A sequence is asked for no more than it was: what it still brings of that, as many items as the first
  /// edge has room for, goes on.
  public func pause() {
    told.withLock { if $0 == .running { $0 = .paused } }
    engine.tell { $0.pause(true) }
  }

  /// Goes on after `pause`.
  public func resume() {
    told.withLock { if $0 == .paused { $0 = .running } }
    engine.tell { $0.pause(false) }
  }
}
