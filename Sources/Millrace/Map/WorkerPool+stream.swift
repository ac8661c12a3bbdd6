extension WorkerPool {
  /// The output of each item, lazily: items are read as outputs are taken, within the window.
  /// - Throws: while iterating, as `map`. Leaving the loop early ends the map.
  @inlinable
  public func stream<W: Worker, S: Sequence>(
    _ items: sending S, _ worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutputSequence<W.Output, S> where S.Element == W.Input {
    outputs(_Items(items), worker, options, order)
  }

  /// The output of each item: a closure over a sequence.
  @inlinable
  public func stream<S: Sequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(_Items(items), ClosureWorker(body), options, order)
  }

  /// The output of each item: a closure that also gets the worker's context over a sequence.
  @_disfavoredOverload
  @inlinable
  public func stream<S: Sequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(_Items(items), ClosureWorker(body), options, order)
  }

  /// The output of each item: a worker over an asynchronous sequence.
  @inlinable
  public func stream<W: Worker, S: AsyncSequence>(
    _ items: sending S, _ worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutputSequence<W.Output, S> where S.Element == W.Input {
    outputs(_Items(items), worker, options, order)
  }

  /// The output of each item: a closure over an asynchronous sequence.
  @inlinable
  public func stream<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(_Items(items), ClosureWorker(body), options, order)
  }

  /// The output of each item: a closure that also gets the worker's context over an asynchronous sequence.
  @_disfavoredOverload
  @inlinable
  public func stream<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element, WorkerContext) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(_Items(items), ClosureWorker(body), options, order)
  }

}
