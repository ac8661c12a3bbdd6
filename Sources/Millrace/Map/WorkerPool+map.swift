extension WorkerPool {
  /// Returns the output of each item, in the order of the input.
  ///
  /// - Throws: as `options.onFailure` says: the first ``ItemFailure`` (default), or ``ItemFailures`` at the end; a
  ///   ``WorkerPoolError`` if the pool cannot run it; ``InvalidOption``; `CancellationError`; the input's own error.
  @inlinable
  public func map<W: Worker, S: Sequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(_Items(items), worker, options, ordered: true)
  }

  /// Returns the output of each item: a closure over a sequence.
  @inlinable
  public func map<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: true)
  }

  /// Returns the output of each item: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func map<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: true)
  }

  /// Returns the output of each item: a worker over an asynchronous sequence.
  @inlinable
  public func map<W: Worker, S: AsyncSequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(_Items(items), worker, options, ordered: true)
  }

  /// Returns the output of each item: a closure over an asynchronous sequence.
  @inlinable
  public func map<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: true)
  }

  /// Returns the output of each item: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func map<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: true)
  }

}
