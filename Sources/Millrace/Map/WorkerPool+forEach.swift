extension WorkerPool {
  /// Runs the closure on each item and drops its outputs.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func forEach<S: Sequence, Output: Sendable>(
    _ items: sending S, onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(ItemSource(items, from: #isolation), ClosureWorker(body), options, onFailure)
  }

  /// Runs the worker on each item and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func forEach<S: Sequence, W: Worker>(
    _ items: sending S, with worker: W, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions()
  ) async throws where S.Element == W.Input {
    try await drain(ItemSource(items, from: #isolation), worker, options, onFailure)
  }

  /// Runs the closure on each item and drops its outputs.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func forEach<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(ItemSource(items), ClosureWorker(body), options, onFailure)
  }

  /// Runs the worker on each item and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func forEach<S: AsyncSequence, W: Worker>(
    _ items: sending S, with worker: W, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions()
  ) async throws where S.Element == W.Input {
    try await drain(ItemSource(items), worker, options, onFailure)
  }
}
