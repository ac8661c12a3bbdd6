// Tasks over inputs from outside.

extension StridedMap {
  /// Adds a task over a sequence.
  ///
  /// - Parameters:
  ///   - items: The input, read item by item as there is room. What may block is read on a thread of its own.
  ///   - options: Retries, limits on time, lifespans of workers.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  ///   - body: Runs on each item, in a worker of the pool. On worker processes it runs in copies of this process, forked when
  ///     the map begins.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun`; ``InvalidOption``.
  public func add<S: Sequence, Output: Sendable>(
    _ items: sending S, options: ItemOptions = ItemOptions(), isolation: (any Actor)? = #isolation,
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) throws -> StridedOutput<Output> where S.Element: Sendable {
    try add(.external, ClosureWorker(body), options, .external(StridedReader(items, from: isolation)))
  }

  /// Adds a task over a sequence.
  ///
  /// - Parameters:
  ///   - items: The input, read item by item as there is room. What may block is read on a thread of its own.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - options: Retries, limits on time, lifespans of workers.
  ///   - isolation: The actor that gives the items, which reads them if they may run code of its own. It need not be named.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun`; ``InvalidOption``.
  public func add<S: Sequence, W: Worker>(
    _ items: sending S, with worker: W, options: ItemOptions = ItemOptions(), isolation: (any Actor)? = #isolation
  ) throws -> StridedOutput<W.Output> where S.Element == W.Input {
    try add(.external, worker, options, .external(StridedReader(items, from: isolation)))
  }

  /// Adds a task over an asynchronous sequence.
  ///
  /// - Parameters:
  ///   - items: The input, read item by item as there is room. An error that it throws comes out at the end of the outputs.
  ///   - options: Retries, limits on time, lifespans of workers.
  ///   - body: Runs on each item, in a worker of the pool. On worker processes it runs in copies of this process, forked when
  ///     the map begins.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun`; ``InvalidOption``.
  public func add<S: AsyncSequence, Output: Sendable>(
    _ items: sending S, options: ItemOptions = ItemOptions(),
    _ body: @escaping @Sendable (S.Element) async throws -> Output
  ) throws -> StridedOutput<Output> where S.Element: Sendable {
    try add(.external, ClosureWorker(body), options, .external(StridedReader(items)))
  }

  /// Adds a task over an asynchronous sequence.
  ///
  /// - Parameters:
  ///   - items: The input, read item by item as there is room. An error that it throws comes out at the end of the outputs.
  ///   - worker: What runs the items: one instance of its state in each slot.
  ///   - options: Retries, limits on time, lifespans of workers.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun`; ``InvalidOption``.
  public func add<S: AsyncSequence, W: Worker>(
    _ items: sending S, with worker: W, options: ItemOptions = ItemOptions()
  ) throws -> StridedOutput<W.Output> where S.Element == W.Input {
    try add(.external, worker, options, .external(StridedReader(items)))
  }

  func add<W: Worker>(
    _ source: StrideMachine.Source, _ worker: W, _ options: ItemOptions, _ input: StridedJob<W>.Input
  ) throws -> StridedOutput<W.Output> {
    var options = MapOptions(options)
    options.chunking = .size(1)
    // The run sees to it that the pool has no more than it can run at once.
    options.window = .items(max(256, 4 * run.pool.width))
    try options.validate()
    let job = try run.add(source) { StridedJob(position: $0, worker, options, input) }
    return StridedOutput(life: life, task: job)
  }
}
