extension RandomAccessCollection where Self: Sendable, Element: Sendable {
  /// All items combined into one, on several threads at once.
  ///
  ///     let total = prices.parallelReduce(0, +)
  ///
  /// Consecutive items are combined on each thread, and the results of the threads in the order of their items. So
  /// `combine` has to be *associative*, `(a ∘ b) ∘ c = a ∘ (b ∘ c)`, but need not be commutative. `initial` stands before the
  /// first item, exactly once. Addition of floating-point numbers is only nearly associative: its result may
  /// differ in the last digits from run to run.
  ///
  /// Operators that the standard library has for all integers at once, `&+` and `&*`, are not `Sendable` as they stand, and the
  /// compiler warns: write `{ $0 &+ $1 }`.
  ///
  /// Threads, errors, `width` and `grain` are as in `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelReduce<Failure: Error>(
    _ initial: Element, width: Int? = nil, grain: Int? = nil,
    _ combine: @Sendable (Element, Element) throws(Failure) -> Element
  ) throws(Failure) -> Element {
    try _parallelReduce(initial, width: width, grain: grain, stop: nil, combine)
  }

  @inlinable
  @inline(__always)
  func _parallelReduce<Failure: Error>(
    _ initial: Element, width: Int?, grain: Int?, stop: StopToken?,
    _ combine: @Sendable (Element, Element) throws(Failure) -> Element
  ) throws(Failure) -> Element {
    let failure = FirstFailure<Failure>()
    let plan = ParallelPlan(count: count, width: width, grain: grain, mayTurn: false, stop: stop)
    let runs = LaneRuns<Element>(lanes: plan.lanes)
    let finished = _run(plan, lanes: runs.lanes, target: runs.lists, failure: failure) { raw, lane, lower, upper in
      let context = ParallelContext<Self, UnsafeMutablePointer<RunList<Element>>, Failure>(at: raw)
      let list = context.target + lane
      let resumed = list.pointee.resume(at: lower)
      var value = resumed?.value
      let isDone = context.visit(lower, upper) { _, item throws(Failure) in
        value = if let left = value { try combine(left, item) } else { item }
      }
      if isDone, let value { list.pointee.append((resumed?.start ?? lower)..<upper, value) }
      return isDone
    }
    if finished != nil { try failure.rethrow() }
    var result = initial
    for value in runs.inOrder() { result = try combine(result, value) }
    return result
  }

  /// All items gathered into one value: several copies of `initial` take in consecutive items on several threads, and are merged.
  ///
  ///     let counts = words.parallelReduce(into: [:]) { $0[$1, default: 0] += 1 } merge: { $0.merge($1, uniquingKeysWith: +) }
  ///
  /// There are as many copies as threads, and a few more. So `initial` has to be neutral to `merge` (an empty
  /// collection, a zero), and merging has to be *associative* and to agree with `update`: taking in some items, and then merging
  /// what has taken in the items after them, gives the same as taking in all of them. It need not be commutative.
  ///
  /// Threads, errors, `width` and `grain` are as in `parallelMap(width:grain:_:)`.
  @inlinable
  public func parallelReduce<Result: Sendable, Failure: Error>(
    into initial: Result, width: Int? = nil, grain: Int? = nil,
    _ update: @Sendable (inout Result, Element) throws(Failure) -> Void,
    merge: @Sendable (inout Result, Result) throws(Failure) -> Void
  ) throws(Failure) -> Result {
    try _parallelReduce(into: initial, width: width, grain: grain, stop: nil, update, merge: merge)
  }

  @inlinable
  @inline(__always)
  func _parallelReduce<Result: Sendable, Failure: Error>(
    into initial: Result, width: Int?, grain: Int?, stop: StopToken?,
    _ update: @Sendable (inout Result, Element) throws(Failure) -> Void,
    merge: @Sendable (inout Result, Result) throws(Failure) -> Void
  ) throws(Failure) -> Result {
    let failure = FirstFailure<Failure>()
    let plan = ParallelPlan(count: count, width: width, grain: grain, mayTurn: false, stop: stop)
    let runs = LaneRuns<Result>(lanes: plan.lanes)
    let finished = withUnsafePointer(to: initial) { initial in
      _run(plan, lanes: runs.lanes, target: (runs.lists, initial), failure: failure) { raw, lane, lower, upper in
        typealias Target = (UnsafeMutablePointer<RunList<Result>>, UnsafePointer<Result>)
        let context = ParallelContext<Self, Target, Failure>(at: raw)
        let list = context.target.0 + lane
        var (start, value) = list.pointee.resume(at: lower) ?? (lower, context.target.1.pointee)
        let isDone = context.visit(lower, upper) { _, item throws(Failure) in try update(&value, item) }
        if isDone { list.pointee.append(start..<upper, value) }
        return isDone
      }
    }
    if finished != nil { try failure.rethrow() }
    var values = Array(runs.inOrder().reversed())
    guard var result = values.popLast() else { return initial }
    while let value = values.popLast() { try merge(&result, value) }
    return result
  }
}
