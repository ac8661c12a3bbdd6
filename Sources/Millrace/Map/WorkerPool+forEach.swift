extension WorkerPool {
  /// Runs the worker on each item and drops the outputs.
  /// - Throws: as `map`.
  @inlinable
  public func forEach<W: Worker, S: Sequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws where S.Element == W.Input {
    try await drain(_Items(items), worker, options)
  }

  /// Runs the worker on each item and drops the outputs: a closure over a sequence.
  @inlinable
  public func forEach<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(_Items(items), ClosureWorker(body), options)
  }

  /// Runs the worker on each item and drops the outputs: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func forEach<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(_Items(items), ClosureWorker(body), options)
  }

  /// Runs the worker on each item and drops the outputs: a worker over an asynchronous sequence.
  @inlinable
  public func forEach<W: Worker, S: AsyncSequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws where S.Element == W.Input {
    try await drain(_Items(items), worker, options)
  }

  /// Runs the worker on each item and drops the outputs: a closure over an asynchronous sequence.
  @inlinable
  public func forEach<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(_Items(items), ClosureWorker(body), options)
  }

  /// Runs the worker on each item and drops the outputs: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func forEach<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws where S.Element: Sendable {
    try await drain(_Items(items), ClosureWorker(body), options)
  }

}
