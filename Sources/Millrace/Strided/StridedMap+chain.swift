// Tasks over the results of others.

extension StridedMap {
  /// Adds a task over the results of another.
  ///
  /// An output may be the input of several tasks; each gets all of it. Where the input has failed, the task's result is a failure too,
  /// with an ``UpstreamFailure`` as its cause, and nothing is run.
  ///
  /// - Parameters:
  ///   - output: The input: an output of this map.
  ///   - options: Retries, limits on time, lifespans of workers.
  ///   - body: Runs on each result, in a worker of the pool.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun` or `foreignOutput`; ``InvalidOption``.
  public func add<Input: Sendable, Output: Sendable>(
    _ output: StridedOutput<Input>, options: ItemOptions = ItemOptions(),
    _ body: @escaping @Sendable (Input) async throws -> Output
  ) throws -> StridedOutput<Output> {
    try add(output, with: ClosureWorker(body), options: options)
  }

  /// Adds a task over the results of several others, those of one index together. It ends with the shortest.
  ///
  /// Where one of them has failed, the task's result is a failure too, with an ``UpstreamFailure`` as its cause.
  ///
  /// - Parameters:
  ///   - outputs: The input: outputs of this map.
  ///   - options: Retries, limits on time, lifespans of workers.
  ///   - body: Runs on the results, as a tuple, in a worker of the pool.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun` or `foreignOutput`; ``InvalidOption``.
  public func add<each Input: Sendable, Output: Sendable>(
    _ outputs: repeat StridedOutput<each Input>, options: ItemOptions = ItemOptions(),
    _ body: @escaping @Sendable ((repeat each Input)) async throws -> Output
  ) throws -> StridedOutput<Output> {
    // A tuple, and not as many parameters: the compiler (Swift 6.3) crashes on a closure that is given for those.
    let positions = try positions(of: repeat each outputs)
    let tasks = (repeat (each outputs).task)
    return try add(
      .outputs(positions), ClosureWorker(body), options, .results { index in (repeat value(each tasks, index)) })
  }

  /// Adds a task over the results of another.
  ///
  /// - Parameters:
  ///   - output: The input: an output of this map.
  ///   - worker: What runs the results: one instance of its state in each slot.
  ///   - options: Retries, limits on time, lifespans of workers.
  /// - Returns: Its results.
  /// - Throws: ``StridedMapError`` of kind `hasBegun` or `foreignOutput`; ``InvalidOption``.
  public func add<W: Worker>(
    _ output: StridedOutput<W.Input>, with worker: W, options: ItemOptions = ItemOptions()
  ) throws -> StridedOutput<W.Output> {
    let positions = try positions(of: output)
    let task = output.task
    return try add(.outputs(positions), worker, options, .results { value(task, $0) })
  }

  private func positions<each Input: Sendable>(of outputs: repeat StridedOutput<each Input>) throws -> [Int] {
    var positions: [Int] = []
    for output in repeat each outputs {
      guard output.life === life else {
        throw StridedMapError(
          .foreignOutput,
          "output \(output.position) belongs to another strided map: take it as a sequence, as any other input")
      }
      positions.append(output.position)
    }
    guard !positions.isEmpty else {
      throw InvalidOption(name: "outputs", value: "nothing", allowed: "at least one output")
    }
    return positions
  }
}

/// A result that is there, and no failure: the machine has seen to that.
private func value<Output>(_ task: StridedResults<Output>, _ index: Int) -> Output {
  guard case .success(let value) = task[index] else { preconditionFailure("a task takes a result that is not there") }
  return value
}
