extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// The results of `transform` for all items, in their order, computed on several threads at once.
  ///
  ///     let thumbnails = try photos.parallelMap { try thumbnail(of: $0) }
  ///
  /// The calling thread takes part and is blocked until the last item is done; in `async` code use the form with `await`.
  /// Calls may be nested: inner calls use threads that are idle, or run in their caller.
  ///
  /// If `transform` throws, no further items are begun, and when the running ones have ended, the error
  /// is rethrown; if several threw, that of the lowest item. Task-local values are not visible in `transform`.
  ///
  /// - Parameters:
  ///   - width: threads to use, the caller's included. By default at most as many as there are usable CPUs, shared with
  ///     all other calls, so items must not wait for each other. A width that is given is granted, more threads than CPUs too; in
  ///     nested calls it is only the most.
  ///   - grain: how many items a thread takes at a time; by default adapted to the time that they take.
  ///   - transform: makes an output of an item; it is called on several threads at once.
  @inlinable
  public func parallelMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil,
    _ transform: @Sendable (Element) throws(Failure) -> Output
  ) throws(Failure) -> [Output] {
    try _parallelMap(width: width, grain: grain, stop: nil, transform)
  }

  @inlinable
  @inline(__always)
  func _parallelMap<Output: Sendable, Failure: Error>(
    width: Int?, grain: Int?, stop: StopToken?,
    _ transform: @Sendable (Element) throws(Failure) -> Output
  ) throws(Failure) -> [Output] {
    let failure = FirstFailure<Failure>()
    // Books are kept only where outputs may have to be destroyed.
    let plan = ParallelPlan(
      count: count, width: width, grain: grain, keepsRuns: Failure.self != Never.self && !_isPOD(Output.self),
      stop: stop)
    if plan.count == 0 { return [] }
    var isWhole = true
    let outputs = [Output](unsafeUninitializedCapacity: plan.count) { buffer, initializedCount in
      let fresh = FreshMemory(UnsafeMutableRawBufferPointer(buffer))
      let target = (buffer.baseAddress.unsafelyUnwrapped, fresh.map(Unmanaged.passUnretained))
      defer { withExtendedLifetime(fresh) {} }
      let finished = _run(plan, lanes: plan.lanes, target: target, failure: failure) {
        raw, _, lower, upper in
        typealias Target = (UnsafeMutablePointer<Output>, Unmanaged<FreshMemory>?)
        let context = ParallelContext<Self, Target, Failure>(at: raw)
        let outputs = context.target.0
        if let fresh = context.target.1 {
          let stride = MemoryLayout<Output>.stride
          fresh._withUnsafeGuaranteedRef { $0.prepare(lower &* stride, upper &* stride) }
        }
        var done = lower
        let isDone = context.visit(lower, upper) { offset, item throws(Failure) in
          (outputs + offset).initialize(to: try transform(item))
          done = offset &+ 1
        }
        if !isDone { (outputs + lower).deinitialize(count: done - lower) }
        return isDone
      }
      if let finished {
        isWhole = false
        for range in finished { UnsafeMutableBufferPointer(rebasing: buffer[range]).deinitialize() }
      }
      initializedCount = isWhole ? plan.count : 0
    }
    if !isWhole { try failure.rethrow() }
    return outputs
  }
}
