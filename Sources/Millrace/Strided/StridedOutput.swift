/// The results of one task of a ``StridedMap``, taken one by one.
///
/// As an asynchronous sequence it ends with its task, and throws at the place of an item that failed; asked again, by
/// ``next()``, it goes on with the item after it.
///
/// Several loops and callers may take from one output: each result goes to one of them. Leaving a loop ends nothing: the other outputs
/// go on until the buffer is full.
public struct StridedOutput<Output: Sendable>: AsyncSequence, Sendable {
  /// What it yields.
  public typealias Element = Output
  /// What it throws: an item's ``ItemFailure``, a ``StridedMapError``, a ``WorkerPoolError``, the input's own error, or
  /// `CancellationError`.
  public typealias Failure = any Error

  let life: StridedLife
  let task: StridedResults<Output>

  /// How many tasks were added before its own: what errors and traces call it.
  public var position: Int { task.position }

  /// The next result; nil at the end, as often as one asks.
  ///
  /// - Throws: The item's ``ItemFailure``, at its place. ``StridedMapError`` of kind `standstill` if it cannot come because of other
  ///   outputs, of which nobody takes; somebody has a second's time to begin with one, and a minute's to come again who has taken by this
  ///   method, and not in a loop. What ends the whole map: ``WorkerPoolError``, the input's
  ///   own error. `CancellationError` if the waiting task is cancelled (the map goes on), or after ``StridedMap/cancel()``. In an item of the
  ///   same pool a ``WorkerPoolError`` of kind `calledFromItem`, if the map was begun outside of that: its tasks may need the item's slot. In a
  ///   worker process, which has a copy of a map that was made outside of it, one of kind `foreignPool`.
  public func next() async throws -> Output? { try await result(within: nil)?.get() }

  /// The next result; waits for it, but not longer than the limit.
  ///
  /// - Throws: As ``next()``, and a ``StridedMapError`` of kind `nextTimedOut`. One may ask again: for the same result, or with
  ///   `skipsTimedOut` for the one after it.
  public func next(within limit: Duration) async throws -> Output? { try await result(within: limit)?.get() }

  /// The next result, be it a failure; nil at the end.
  ///
  /// - Throws: As ``next()``, but never for the failure of an item.
  public func nextResult() async throws -> Result<Output, ItemFailure>? { try await result(within: nil) }

  private func result(within limit: Duration?) async throws -> Result<Output, ItemFailure>? {
    try await life.run.next(task, within: limit, taker: Self.taker, loop: nil)
  }

  /// The task of the program in which this runs.
  static var taker: Int { withUnsafeCurrentTask { $0?.hashValue ?? 0 } }

  /// Takes results, beside who else does.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(visit: Visit(self)) }

  /// Takes results.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let visit: Visit

    /// The next result; nil at the end.
    public mutating func next() async throws -> Output? { try await next(isolation: #isolation) }

    /// The next result, without leaving the caller's actor; nil at the end.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws -> Output? {
      let run = visit.output.life.run
      if visit.loop == 0 { visit.loop = run.newLoop() }
      return try await run.next(visit.output.task, within: nil, taker: StridedOutput.taker, loop: visit.loop)?.get()
    }
  }

  /// A loop: when it has been left, nobody counts on it to take more.
  fileprivate final class Visit {
    let output: StridedOutput
    var loop: UInt64 = 0

    init(_ output: StridedOutput) { self.output = output }

    deinit { if loop != 0 { output.life.run.left(output.task, loop: loop) } }
  }
}

// Two loops that share one iterator would take the results from each other.
@available(*, unavailable)
extension StridedOutput.AsyncIterator: Sendable {}
