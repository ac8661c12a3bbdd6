extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// Runs `body` for every item, on several threads at once, in no particular order.
  ///
  ///     (0..<rows).parallelForEach { row in render(row) }
  ///
  /// Threads, errors, `width` and `grain` are as in `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelForEach<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ body: @Sendable (Element) throws(Failure) -> Void
  ) throws(Failure) {
    try _parallelForEach(width: width, grain: grain, stop: nil, body)
  }

  @inlinable
  @inline(__always)
  func _parallelForEach<Failure: Error>(
    width: Int?, grain: Int?, stop: StopToken?, _ body: @Sendable (Element) throws(Failure) -> Void
  ) throws(Failure) {
    let failure = FirstFailure<Failure>()
    let plan = ParallelPlan(count: count, width: width, grain: grain, stop: stop)
    let finished = _run(plan, lanes: plan.lanes, target: (), failure: failure) { raw, _, lower, upper in
      ParallelContext<Self, Void, Failure>(at: raw).visit(lower, upper) { _, item throws(Failure) in try body(item) }
    }
    if finished != nil { try failure.rethrow() }
  }
}

extension RandomAccessCollection where Self: Sendable, SubSequence: Sendable {
  /// Runs `body` for consecutive parts of this collection that are together the whole, on several threads at once.
  ///
  ///     (0..<samples.count).parallelForEachPart { part in for i in part { … } }
  ///
  /// For work that is cheap by the item and dear by the call: the loop is the caller's own, so the compiler
  /// sees all of it. Parts grow with the measured time, and so differ in size from run to run; for parts of known sizes,
  /// use `mapChunks(of:width:_:)`. Otherwise as `parallelForEach(width:grain:_:)`.
  @inlinable
  public func parallelForEachPart<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ body: @Sendable (SubSequence) throws(Failure) -> Void
  ) throws(Failure) {
    try _parallelForEachPart(width: width, grain: grain, stop: nil, body)
  }

  /// Runs `body` for consecutive parts of this collection, on several threads at once, while the task waits.
  ///
  /// Parts are as in the synchronous form; the rest is as in the `async` `parallelForEach`.
  @inlinable
  public func parallelForEachPart<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ body: @escaping @Sendable (SubSequence) throws(Failure) -> Void
  ) async throws(Failure) {
    try await AsyncCall.run(AsyncInput(self, width, grain), isGranted: width != nil, throwing: Failure.self) {
      input, stop in
      Result { () throws(Failure) in
        try input.base._parallelForEachPart(width: input.width, grain: input.grain, stop: stop, body)
      }
    }
  }

  @inlinable
  @inline(__always)
  func _parallelForEachPart<Failure: Error>(
    width: Int?, grain: Int?, stop: StopToken?, _ body: @Sendable (SubSequence) throws(Failure) -> Void
  ) throws(Failure) {
    let failure = FirstFailure<Failure>()
    let plan = ParallelPlan(count: count, width: width, grain: grain, stop: stop)
    let finished = _run(plan, lanes: plan.lanes, target: (), failure: failure) { raw, _, lower, upper in
      let context = ParallelContext<Self, Void, Failure>(at: raw)
      let start = context.base.pointee.index(context.base.pointee.startIndex, offsetBy: lower)
      let end = context.base.pointee.index(start, offsetBy: upper - lower)
      do throws(Failure) {
        try body(context.base.pointee[start..<end])
        return true
      } catch {
        context.failure.takeUnretainedValue().note(error, at: lower)
        return false
      }
    }
    if finished != nil { try failure.rethrow() }
  }
}
