// How items are run through a pipeline that has no source of its own: the same verbs, of a sequence or an asynchronous one.

extension Pipeline {
  // MARK: Items that are there

  /// All outputs of the items, once the run is over.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - order: In which order outputs come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  /// - Throws: The ``ItemFailure`` of an item, which names its stage and its place among the items; ``ItemFailures`` (`.collect`);
  ///   a ``PipelineError``, which names the stage; a ``WorkerPoolError``; what the items' sequence throws; or `CancellationError`.
  @inlinable
  public func list<S: Sequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) async throws -> [Output] where S.Element == Input {
    try await list(input: PipelineInput(items), order, pool, watch)
  }

  /// Runs the items through to the end, and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  @inlinable
  public func run<S: Sequence & Sendable>(
    of items: S, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) async throws where S.Element == Input { try await run(input: PipelineInput(items), pool, watch) }

  /// The outputs of the items, lazily.
  ///
  /// Leaving the loop early ends the run.
  @inlinable
  public func outputs<S: Sequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> OutputSequence<Output, Self> where S.Element == Input {
    outputs(input: PipelineInput(items), order, pool, watch)
  }

  /// What became of each of the items, lazily. A failed item ends nothing.
  @inlinable
  public func outcomes<S: Sequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> PipelineOutcomes<Output> where S.Element == Input { outcomes(input: PipelineInput(items), order, pool, watch) }

  /// Puts all outputs of the items into one value, one at a time, in the caller's task. What the closure throws ends the run.
  @inlinable
  public func reduce<S: Sequence & Sendable, Total>(
    into initial: Total, of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil,
    watch: ProgressStyle = .none, _ update: (inout Total, Output) throws -> Void
  ) async throws -> Total where S.Element == Input {
    try await outputs(of: items, order: order, on: pool, watch: watch).reduce(into: initial, update)
  }

  /// Begins to run the items through, and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  public func start<S: Sequence & Sendable>(
    of items: S, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) throws -> PipelineRun where S.Element == Input { try start(input: PipelineInput(items), pool, watch) }

  // MARK: Items that arrive

  /// All outputs of the items, once the run is over.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - order: In which order outputs come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  /// - Throws: The ``ItemFailure`` of an item, which names its stage and its place among the items; ``ItemFailures`` (`.collect`);
  ///   a ``PipelineError``, which names the stage; a ``WorkerPoolError``; what the items' sequence throws; or `CancellationError`.
  public func list<S: AsyncSequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) async throws -> [Output] where S.Element == Input {
    try await list(input: PipelineInput(items), order, pool, watch)
  }

  /// Runs the items through to the end, and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  public func run<S: AsyncSequence & Sendable>(
    of items: S, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) async throws where S.Element == Input { try await run(input: PipelineInput(items), pool, watch) }

  /// The outputs of the items, lazily, as they arrive.
  ///
  /// Leaving the loop early ends the run.
  public func outputs<S: AsyncSequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> OutputSequence<Output, Self> where S.Element == Input {
    outputs(input: PipelineInput(items), order, pool, watch)
  }

  /// What became of each of the items, lazily, as they arrive. A failed item ends nothing.
  public func outcomes<S: AsyncSequence & Sendable>(
    of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> PipelineOutcomes<Output> where S.Element == Input { outcomes(input: PipelineInput(items), order, pool, watch) }

  /// Puts all outputs of the items into one value, one at a time, in the caller's task. What the closure throws ends the run.
  public func reduce<S: AsyncSequence & Sendable, Total>(
    into initial: Total, of items: S, order: MapOptions.Order = .input, on pool: WorkerPool? = nil,
    watch: ProgressStyle = .none, _ update: (inout Total, Output) throws -> Void
  ) async throws -> Total where S.Element == Input {
    try await outputs(of: items, order: order, on: pool, watch: watch).reduce(into: initial, update)
  }

  /// Begins to run the items through, and drops the outputs.
  ///
  /// - Parameters:
  ///   - items: What goes in.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  public func start<S: AsyncSequence & Sendable>(
    of items: S, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) throws -> PipelineRun where S.Element == Input { try start(input: PipelineInput(items), pool, watch) }
}
