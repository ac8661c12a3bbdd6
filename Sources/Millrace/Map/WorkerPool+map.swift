extension WorkerPool {
  /// Returns what the closure makes of each item.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outputs; as many as there are items, unless failed ones are left out (`.skip`).
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func map<S: Sequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions(), _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(ItemSource(items, from: #isolation), ClosureWorker(body), options, order, onFailure)
  }

  /// Returns the output of each item.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  /// - Returns: The outputs; as many as there are items, unless failed ones are left out (`.skip`).
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func map<S: Sequence, W: Worker>(
    _ items: sending S, with worker: W, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(ItemSource(items, from: #isolation), worker, options, order, onFailure)
  }

  /// Returns what the closure makes of each item.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outputs; as many as there are items, unless failed ones are left out (`.skip`).
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func map<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions(), _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(ItemSource(items), ClosureWorker(body), options, order, onFailure)
  }

  /// Returns the output of each item.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  /// - Returns: The outputs; as many as there are items, unless failed ones are left out (`.skip`).
  /// - Throws: the first ``ItemFailure`` (`.failFast`), or ``ItemFailures`` at the end (`.collect`); a ``WorkerPoolError`` if the
  ///   pool cannot run it; ``InvalidOption``; `CancellationError`; an error that reading `items` throws.
  @inlinable
  public func map<S: AsyncSequence, W: Worker>(
    _ items: sending S, with worker: W, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(ItemSource(items), worker, options, order, onFailure)
  }
}
