extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// The results of `transform` that are not nil, in the order of their items, computed on several threads at once.
  ///
  /// Threads, errors, `width` and `grain` are as in `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelCompactMap<Output: Sendable, Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ transform: @Sendable (Element) throws(Failure) -> Output?
  ) throws(Failure) -> [Output] {
    try _parallelCompactMap(width: width, grain: grain, stop: nil, transform)
  }

  /// The items for which `isIncluded` holds, in their order, tested on several threads at once.
  ///
  /// Threads, errors, `width` and `grain` are as in `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelFilter<Failure: Error>(
    width: Int? = nil, grain: Int? = nil, _ isIncluded: @Sendable (Element) throws(Failure) -> Bool
  ) throws(Failure) -> [Element] {
    try _parallelFilter(width: width, grain: grain, stop: nil, isIncluded)
  }

  @inlinable
  @inline(__always)
  func _parallelFilter<Failure: Error>(
    width: Int?, grain: Int?, stop: StopToken?, _ isIncluded: @Sendable (Element) throws(Failure) -> Bool
  ) throws(Failure) -> [Element] {
    try _parallelCompactMap(width: width, grain: grain, stop: stop) { item throws(Failure) in
      try isIncluded(item) ? item : nil
    }
  }

  @inlinable
  @inline(__always)
  func _parallelCompactMap<Output: Sendable, Failure: Error>(
    width: Int?, grain: Int?, stop: StopToken?, _ transform: @Sendable (Element) throws(Failure) -> Output?
  ) throws(Failure) -> [Output] {
    let failure = FirstFailure<Failure>()
    let plan = ParallelPlan(count: count, width: width, grain: grain, mayTurn: false, stop: stop)
    let runs = LaneRuns<[Output]>(lanes: plan.lanes)
    let finished = _run(plan, lanes: runs.lanes, target: runs.lists, failure: failure) { raw, lane, lower, upper in
      let context = ParallelContext<Self, UnsafeMutablePointer<RunList<[Output]>>, Failure>(at: raw)
      let list = context.target + lane
      var (start, outputs) = list.pointee.resume(at: lower) ?? (lower, [])
      let isDone = context.visit(lower, upper) { _, item throws(Failure) in
        if let output = try transform(item) { outputs.append(output) }
      }
      if isDone { list.pointee.append(start..<upper, outputs) }
      return isDone
    }
    if finished != nil { try failure.rethrow() }
    return joinedArrays(runs.inOrder())
  }
}

/// The elements of all arrays in one, copied once; a single array is returned as it is.
@usableFromInline
func joinedArrays<Element>(_ arrays: [[Element]]) -> [Element] {
  if arrays.count == 1 { return arrays[0] }
  var all: [Element] = []
  all.reserveCapacity(arrays.reduce(0) { $0 + $1.count })
  for array in arrays { all += array }
  return all
}
