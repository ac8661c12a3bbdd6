extension WorkerPool {
  /// What the closure makes of each item, lazily: items are read as outputs are taken, within the window.
  ///
  /// The map begins with the first output that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outputs. Iterating throws as `map` does.
  @inlinable
  public func outputs<S: Sequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions(), isolation: (any Actor)? = #isolation,
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(ItemSource(items, from: isolation), ClosureWorker(body), options, order, onFailure)
  }

  /// The output of each item, lazily: items are read as outputs are taken, within the window.
  ///
  /// The map begins with the first output that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  /// - Returns: The outputs. Iterating throws as `map` does.
  @inlinable
  public func outputs<S: Sequence, W: Worker>(
    of items: sending S, with worker: W, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions(),
    isolation: (any Actor)? = #isolation
  ) -> OutputSequence<W.Output, S> where S.Element == W.Input {
    outputs(ItemSource(items, from: isolation), worker, options, order, onFailure)
  }

  /// What the closure makes of each item, lazily: items are read as outputs are taken, within the window.
  ///
  /// The map begins with the first output that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outputs. Iterating throws as `map` does.
  @inlinable
  public func outputs<S: AsyncSequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, onFailure: MapOptions.FailurePolicy = .failFast,
    options: MapOptions = MapOptions(), _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutputSequence<Output, S> where S.Element: Sendable {
    outputs(ItemSource(items), ClosureWorker(body), options, order, onFailure)
  }

  /// The output of each item, lazily: items are read as outputs are taken, within the window.
  ///
  /// The map begins with the first output that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outputs come. Default: that of the input.
  ///   - onFailure: What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///   - options: Everything else.
  /// - Returns: The outputs. Iterating throws as `map` does.
  @inlinable
  public func outputs<S: AsyncSequence, W: Worker>(
    of items: sending S, with worker: W, order: MapOptions.Order = .input,
    onFailure: MapOptions.FailurePolicy = .failFast, options: MapOptions = MapOptions()
  ) -> OutputSequence<W.Output, S> where S.Element == W.Input {
    outputs(ItemSource(items), worker, options, order, onFailure)
  }
}
