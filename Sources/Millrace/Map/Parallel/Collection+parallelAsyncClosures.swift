// The forms for `async` code whose closures are `async` too. They are disfavoured, so that a closure that awaits nothing takes the
// faster forms of Collection+parallelAsync.swift.
extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// The results of an `async` closure for all items, in their order, so many of them under way at once.
  ///
  ///     let pages = try await urls.parallelMap(width: 20) { try await fetch($0) }
  ///
  /// Every lane is a child task on a thread of Millrace's own, and takes the next item when it has done its last; a
  /// lane that waits holds no thread. Task-local values are visible in the closure. If it throws, the other lanes are
  /// cancelled, no further items are begun, and the error is rethrown when the lanes have ended; if several threw, that of the
  /// lowest item. If the task is cancelled, the lanes are, and a call whose closure throws (untyped, or
  /// `CancellationError`) stops early with a `CancellationError`. One whose closure cannot throw that goes on to its end; what it
  /// awaits is cancelled.
  ///
  /// - Parameters:
  ///   - width: how many items may be under way at once; by default as many as there are usable CPUs.
  ///   - grain: how many items a lane takes at a time; by default one.
  ///   - transform: makes an output of an item; calls for several items are under way at once.
  @_disfavoredOverload
  public func parallelMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil,
    _ transform: @escaping @Sendable (Element) async throws(Failure) -> Output
  ) async throws(Failure) -> [Output] {
    let outputs = ScatteredOutputs<Output>(count: count)
    try await parallelEach(width: width, grain: grain) { offset, item throws(Failure) in
      outputs.put(try await transform(item), at: offset)
    }
    return outputs.inOrder()
  }

  /// Runs an `async` closure for every item, so many of them under way at once.
  ///
  /// Lanes, errors, cancellation, `width` and `grain` are as in `parallelMap(width:grain:_:)` with an `async` closure.
  @_disfavoredOverload
  public func parallelForEach<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ body: @escaping @Sendable (Element) async throws(Failure) -> Void
  ) async throws(Failure) {
    try await parallelEach(width: width, grain: grain) { _, item throws(Failure) in try await body(item) }
  }

  /// The results of an `async` closure that are not nil, in the order of their items, so many of them under way at once.
  ///
  /// Lanes, errors, cancellation, `width` and `grain` are as in `parallelMap(width:grain:_:)` with an `async` closure.
  @_disfavoredOverload
  public func parallelCompactMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil,
    _ transform: @escaping @Sendable (Element) async throws(Failure) -> Output?
  ) async throws(Failure) -> [Output] {
    let outputs = ScatteredOutputs<Output>(count: count)
    try await parallelEach(width: width, grain: grain) { offset, item throws(Failure) in
      if let output = try await transform(item) { outputs.put(output, at: offset) }
    }
    return outputs.inOrder()
  }

  /// The items for which an `async` closure holds, in their order, so many of them under way at once.
  ///
  /// Lanes, errors, cancellation, `width` and `grain` are as in `parallelMap(width:grain:_:)` with an `async` closure.
  @_disfavoredOverload
  public func parallelFilter<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ isIncluded: @escaping @Sendable (Element) async throws(Failure) -> Bool
  ) async throws(Failure) -> [Element] {
    let outputs = ScatteredOutputs<Element>(count: count)
    try await parallelEach(width: width, grain: grain) { offset, item throws(Failure) in
      if try await isIncluded(item) { outputs.put(item, at: offset) }
    }
    return outputs.inOrder()
  }

  private func parallelEach<Failure: Error>(
    width: Int?, grain: Int?, _ body: @escaping @Sendable (Int, Element) async throws(Failure) -> Void
  ) async throws(Failure) {
    let failure = FirstFailure<Failure>()
    let isWhole = await AsyncLanes.run(count: count, width: width, grain: grain, failure: failure) {
      offset throws(Failure) in
      try await body(offset, self[index(startIndex, offsetBy: offset)])
    }
    if !isWhole { try failure.rethrow() }
  }
}
