extension WorkerPool {
  /// The outcome of each item with its input, lazily; no item's failure is thrown.
  /// - Throws: while iterating, what ends the whole map, never a single item's failure.
  @inlinable
  public func outcomes<W: Worker, S: Sequence>(
    of items: sending S, _ worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutcomeSequence<W.Input, W.Output, S> where S.Element == W.Input {
    outcomes(_Items(items), worker, options, order)
  }

  /// The outcome of each item with its input: a closure over a sequence.
  @inlinable
  public func outcomes<S: Sequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(_Items(items), ClosureWorker(body), options, order)
  }

  /// The outcome of each item with its input: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func outcomes<S: Sequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(_Items(items), ClosureWorker(body), options, order)
  }

  /// The outcome of each item with its input: a worker over an asynchronous sequence.
  @inlinable
  public func outcomes<W: Worker, S: AsyncSequence>(
    of items: sending S, _ worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutcomeSequence<W.Input, W.Output, S> where S.Element == W.Input {
    outcomes(_Items(items), worker, options, order)
  }

  /// The outcome of each item with its input: a closure over an asynchronous sequence.
  @inlinable
  public func outcomes<S: AsyncSequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(_Items(items), ClosureWorker(body), options, order)
  }

  /// The outcome of each item with its input: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func outcomes<S: AsyncSequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(_Items(items), ClosureWorker(body), options, order)
  }

}
