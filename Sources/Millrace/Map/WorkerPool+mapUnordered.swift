extension WorkerPool {
  /// Returns the output of each item, in the order in which they finished.
  /// - Throws: as `map`.
  @inlinable
  public func mapUnordered<W: Worker, S: Sequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(_Items(items), worker, options, ordered: false)
  }

  /// Returns the output of each item: a closure over a sequence.
  @inlinable
  public func mapUnordered<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: false)
  }

  /// Returns the output of each item: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func mapUnordered<S: Sequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: false)
  }

  /// Returns the output of each item: a worker over an asynchronous sequence.
  @inlinable
  public func mapUnordered<W: Worker, S: AsyncSequence>(
    _ items: sending S, _ worker: W, options: MapOptions = MapOptions()
  ) async throws -> [W.Output] where S.Element == W.Input {
    try await collect(_Items(items), worker, options, ordered: false)
  }

  /// Returns the output of each item: a closure over an asynchronous sequence.
  @inlinable
  public func mapUnordered<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: false)
  }

  /// Returns the output of each item: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func mapUnordered<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) async throws -> [Output] where S.Element: Sendable {
    try await collect(_Items(items), ClosureWorker(body), options, ordered: false)
  }

}
