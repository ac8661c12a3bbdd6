// Single items. A failure concerns this item only, and unless the options say otherwise, only the slot that runs it sets up its worker.

extension WorkerPool {
  /// Runs the worker on one item and returns its output. Cancelling the task gives the item up.
  ///
  /// - Parameters:
  ///   - item: The item.
  ///   - worker: What runs it.
  ///   - options: Retries, limits on time, and when the worker is set up.
  /// - Throws: The item's ``ItemFailure``; ``WorkerPoolError`` if the pool cannot run it; ``InvalidOption``; `CancellationError`.
  public func run<W: Worker>(
    _ item: W.Input, with worker: W, options: ItemOptions = ItemOptions()
  ) async throws -> W.Output {
    let submission = try submit(item, with: worker, options: options)
    let output = try await withTaskCancellationHandler {
      try await submission.value
    } onCancel: {
      submission.cancel()
    }
    // Its code may have seen the cancellation, and left off with less than an output, before the submission did.
    try Task.checkCancellation()
    return output
  }

  /// Runs the closure on one item and returns its output. Cancelling the task gives the item up.
  ///
  /// - Parameters:
  ///   - item: The item.
  ///   - options: Retries and limits on time.
  ///   - body: Runs in a worker of the pool (``WorkerContext/current``).
  /// - Throws: As ``run(_:with:options:)``.
  public func run<Input: Sendable, Output: Sendable>(
    _ item: Input, options: ItemOptions = ItemOptions(), _ body: @escaping @Sendable (Input) async throws -> Output
  ) async throws -> Output {
    try await run(item, with: ClosureWorker(body), options: options)
  }

  /// Calls the closure once, in a worker of the pool, and returns its output. Cancelling the task gives it up.
  ///
  /// - Parameters:
  ///   - options: Retries and limits on time.
  ///   - body: Runs in a worker of the pool (``WorkerContext/current``).
  /// - Throws: As ``run(_:with:options:)``.
  public func run<Output: Sendable>(
    options: ItemOptions = ItemOptions(), _ body: @escaping @Sendable () async throws -> Output
  ) async throws -> Output {
    try await run(0, with: ClosureWorker { (_: Int) in try await body() }, options: options)
  }

  /// Gives the pool one item for the worker and returns at once.
  ///
  /// - Parameters:
  ///   - item: The item.
  ///   - worker: What runs it.
  ///   - options: Retries, limits on time, and when the worker is set up.
  /// - Returns: The item's handle: its ``Submission/value`` waits for the output.
  /// - Throws: ``WorkerPoolError`` if the pool takes no more work or the worker cannot be sent; ``InvalidOption``.
  @discardableResult
  public func submit<W: Worker>(
    _ item: W.Input, with worker: W, options: ItemOptions = ItemOptions()
  ) throws -> Submission<W.Output> {
    let request = MapRequest(options: MapOptions(options), order: .completion)
    return Submission(core: core, job: try start(ItemSource(CollectionOfOne(item)), worker, request))
  }

  /// Gives the pool one item for the closure and returns at once.
  ///
  /// - Parameters:
  ///   - item: The item.
  ///   - options: Retries and limits on time.
  ///   - body: Runs in a worker of the pool (``WorkerContext/current``).
  /// - Returns: The item's handle: its ``Submission/value`` waits for the output.
  /// - Throws: As ``submit(_:with:options:)``.
  @discardableResult
  public func submit<Input: Sendable, Output: Sendable>(
    _ item: Input, options: ItemOptions = ItemOptions(), _ body: @escaping @Sendable (Input) async throws -> Output
  ) throws -> Submission<Output> {
    try submit(item, with: ClosureWorker(body), options: options)
  }

  /// Gives the pool a closure to call once, and returns at once.
  ///
  /// - Parameters:
  ///   - options: Retries and limits on time.
  ///   - body: Runs in a worker of the pool (``WorkerContext/current``).
  /// - Returns: The call's handle: its ``Submission/value`` waits for the output.
  /// - Throws: As ``submit(_:with:options:)``.
  @discardableResult
  public func submit<Output: Sendable>(
    options: ItemOptions = ItemOptions(), _ body: @escaping @Sendable () async throws -> Output
  ) throws -> Submission<Output> {
    try submit(0, with: ClosureWorker { (_: Int) in try await body() }, options: options)
  }
}
