/// What a parallel call asks of the crew: how many items, how wide, how finely cut.
@usableFromInline
struct ParallelPlan {
  @usableFromInline var count: Int
  var width: Int?
  var grain: Int?
  /// Whether a lane may work from the back of its range.
  ///
  /// Not if its results continue each other.
  var mayTurn: Bool
  /// Whether to keep books on finished ranges, so that their outputs can be destroyed when the call fails.
  var keepsRuns: Bool
  var stop: StopToken?

  /// - Precondition: `width` and `grain`, if given, are at least 1.
  @usableFromInline
  init(
    count: Int, width: Int?, grain: Int?, mayTurn: Bool = true, keepsRuns: Bool = false, stop: StopToken? = nil
  ) {
    if let width { precondition(width >= 1, "width is \(width): it has to be at least 1") }
    if let grain { precondition(grain >= 1, "grain is \(grain): it has to be at least 1") }
    self.count = count
    self.width = width
    self.grain = grain
    self.mayTurn = mayTurn
    self.keepsRuns = keepsRuns
    self.stop = stop
  }

  /// Lanes that the call can use: no more than there are pieces.
  @usableFromInline
  var lanes: Int {
    max(1, min(width ?? Crew.shared.cpus, count / (grain ?? 1) + (count % (grain ?? 1) == 0 ? 0 : 1)))
  }

  /// Runs `body` over `0..<count` in pieces, on at most `lanes` threads, the calling one among them.
  ///
  /// Returns when all have left.
  ///
  /// - Parameters:
  ///   - context: handed to `body`. It carries everything that the work needs *but the user's closure*, which `body` captures, and
  ///     nothing else: a closure that captures only a constant function is specialised by the compiler, so that the
  ///     user's code is inlined into the loop over a piece.
  ///   - body: runs a piece; false if it failed. Calls of the same lane never overlap.
  /// - Returns: nil if every piece was done. Otherwise the ranges that were, if they were to be kept.
  @inlinable
  @inline(__always)
  func run<Context>(
    lanes: Int, with context: inout Context,
    body: (_ context: UnsafeMutablePointer<Context>, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool
  ) -> [Range<Int>]? {
    withUnsafeMutablePointer(to: &context) { context in
      run(lanes: lanes, context: context) { raw, lane, lower, upper in
        body(raw.assumingMemoryBound(to: Context.self), lane, lower, upper)
      }
    }
  }

  @usableFromInline
  func run(
    lanes: Int, context: UnsafeMutableRawPointer,
    body: (_ context: UnsafeMutableRawPointer, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool
  ) -> [Range<Int>]? {
    if count == 0 { return nil }
    return withoutActuallyEscaping(body) { body in
      let job = ParallelJob(self, width: lanes, context: context, parent: CrewMember.current.job)
      job.body = body
      Crew.shared.run(job)
      // The job may outlive this call for a moment in a helper's hands; the closure must not.
      job.body = nil
      return job.isStopped ? (0..<lanes).flatMap { job.runs[$0] } : nil
    }
  }
}
