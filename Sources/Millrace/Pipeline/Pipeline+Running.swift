// How a pipeline is run. Each run is new: a pipeline is a value.

extension Pipeline where Input == Nothing {
  /// All outputs, once the run is over.
  ///
  /// - Parameters:
  ///   - order: In which order they come.
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked, with the
  ///     width that it should have, if that helps.
  /// - Throws: The ``ItemFailure`` of an item, which names its stage and the source's item; ``ItemFailures`` (`.collect`);
  ///   a ``PipelineError``, which names the stage; a ``WorkerPoolError``; or `CancellationError`.
  public func list(
    order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) async throws -> [Output] {
    try await list(input: nil, order, pool, watch)
  }

  /// Runs it to its end, and drops its outputs.
  ///
  /// - Parameters:
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  public func run(on pool: WorkerPool? = nil, watch: ProgressStyle = .none) async throws {
    try await run(input: nil, pool, watch)
  }

  /// The outputs, lazily: the source is read as they are taken, as far as the stages' windows allow.
  ///
  /// Leaving the loop early ends the run.
  public func outputs(
    order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> OutputSequence<Output, Self> { outputs(input: nil, order, pool, watch) }

  /// What became of each item that comes out, or would have: its output, or where it failed. A failed item ends nothing.
  public func outcomes(
    order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none
  ) -> PipelineOutcomes<Output> { outcomes(input: nil, order, pool, watch) }

  /// Puts all outputs into one value, one at a time, in the caller's task. What the closure throws ends the run.
  @inlinable
  public func reduce<Total>(
    into initial: Total, order: MapOptions.Order = .input, on pool: WorkerPool? = nil, watch: ProgressStyle = .none,
    _ update: (inout Total, Output) throws -> Void
  ) async throws -> Total {
    try await outputs(order: order, on: pool, watch: watch).reduce(into: initial, update)
  }

  /// Begins it, and drops its outputs.
  ///
  /// - Parameters:
  ///   - pool: Where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  ///   - watch: How each stage shows how far it is: a line for each, with its slots and how busy they are; the bottleneck is marked.
  public func start(on pool: WorkerPool? = nil, watch: ProgressStyle = .none) throws -> PipelineRun {
    try start(input: nil, pool, watch)
  }
}

// What they have in common.

extension Pipeline {
  @usableFromInline
  func list(
    input: PipelineInput?, _ order: MapOptions.Order, _ pool: WorkerPool?, _ watch: ProgressStyle = .none
  ) async throws -> [Output] {
    var outputs: [Output] = []
    var coming = self.outputs(input: input, order, pool, watch).makeAsyncIterator()
    while let output = try await coming.next(isolation: #isolation) {
      outputs.append(output)
      coming.takeAtHand(into: &outputs)
    }
    return outputs
  }

  @usableFromInline
  func outputs(
    input: PipelineInput?, _ order: MapOptions.Order, _ pool: WorkerPool?, _ watch: ProgressStyle = .none
  ) -> OutputSequence<Output, Self> {
    let blueprint = Blueprint(self)
    return OutputSequence {
      PipelineCursor(isTagged: blueprint.carriesMeta) { consumer in
        var start = PipelineStart(
          blueprint, order: order, on: pool, input: input, consumers: [consumer], watch: watch)
        return try start.begin()
      }
    }
  }

  @usableFromInline
  func outcomes(
    input: PipelineInput?, _ order: MapOptions.Order, _ pool: WorkerPool?, _ watch: ProgressStyle = .none
  ) -> PipelineOutcomes<Output> {
    let blueprint = Blueprint(self)
    return PipelineOutcomes {
      PipelineCursor(isTagged: blueprint.carriesMeta) { consumer in
        var start = PipelineStart(
          blueprint, order: order, givesOutcomes: true, on: pool, input: input, consumers: [consumer], watch: watch)
        return try start.begin()
      }
    }
  }

  @usableFromInline
  func run(input: PipelineInput?, _ pool: WorkerPool?, _ watch: ProgressStyle) async throws {
    try await start(input: input, pool, watch, isMeasured: false).waitOrCancel()
  }

  func start(
    input: PipelineInput?, _ pool: WorkerPool?, _ watch: ProgressStyle = .none, isMeasured: Bool = true,
    inside: RunScope = RunScope()
  ) throws -> PipelineRun {
    let consumer = PipelineConsumer(dropsOutputs: true)
    var start = PipelineStart(
      Blueprint(self), order: .completion, on: pool, input: input, consumers: [consumer], watch: watch,
      isMeasured: isMeasured, inside: inside)
    return PipelineRun(try start.begin(), consumer)
  }
}
