extension WorkerPool {
  /// What becomes of each item, with the item, lazily: items are read as outcomes are taken, within the window.
  ///
  /// The map begins with the first outcome that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - order: In which order outcomes come. Default: that of the input.
  ///   - options: Everything else.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outcomes. Iterating throws what ends the whole map, never the failure of an item.
  @inlinable
  public func outcomes<S: Sequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    isolation: (any Actor)? = #isolation, _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(ItemSource(items, from: isolation), ClosureWorker(body), options, order)
  }

  /// What becomes of each item, with the item, lazily: items are read as outcomes are taken, within the window.
  ///
  /// The map begins with the first outcome that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: a sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outcomes come. Default: that of the input.
  ///   - options: Everything else.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  /// - Returns: The outcomes. Iterating throws what ends the whole map, never the failure of an item.
  @inlinable
  public func outcomes<S: Sequence, W: Worker>(
    of items: sending S, with worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    isolation: (any Actor)? = #isolation
  ) -> OutcomeSequence<W.Input, W.Output, S> where S.Element == W.Input {
    outcomes(ItemSource(items, from: isolation), worker, options, order)
  }

  /// What becomes of each item, with the item, lazily: items are read as outcomes are taken, within the window.
  ///
  /// The map begins with the first outcome that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - order: In which order outcomes come. Default: that of the input.
  ///   - options: Everything else.
  ///   - body: Runs on each item, in the worker of a slot (``WorkerContext/current``). On worker processes it runs in copies of this
  ///     process, forked when the map begins.
  /// - Returns: The outcomes. Iterating throws what ends the whole map, never the failure of an item.
  @inlinable
  public func outcomes<S: AsyncSequence, Output: Sendable>(
    of items: sending S, order: MapOptions.Order = .input, options: MapOptions = MapOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) -> OutcomeSequence<S.Element, Output, S> where S.Element: Sendable {
    outcomes(ItemSource(items), ClosureWorker(body), options, order)
  }

  /// What becomes of each item, with the item, lazily: items are read as outcomes are taken, within the window.
  ///
  /// The map begins with the first outcome that is asked for; leaving the loop early ends it. See ``OutputSequence``.
  ///
  /// - Parameters:
  ///   - items: The input, of any length: an asynchronous sequence.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - order: In which order outcomes come. Default: that of the input.
  ///   - options: Everything else.
  /// - Returns: The outcomes. Iterating throws what ends the whole map, never the failure of an item.
  @inlinable
  public func outcomes<S: AsyncSequence, W: Worker>(
    of items: sending S, with worker: W, order: MapOptions.Order = .input, options: MapOptions = MapOptions()
  ) -> OutcomeSequence<W.Input, W.Output, S> where S.Element == W.Input {
    outcomes(ItemSource(items), worker, options, order)
  }
}
