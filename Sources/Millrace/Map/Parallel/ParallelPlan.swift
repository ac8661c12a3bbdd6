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

  /// Lanes that the call can use: no more than there are pieces, nor than there are ever threads.
  @usableFromInline
  var lanes: Int { min(tasks, Crew.maximumThreads + 1) }

  /// As many, where a lane is a task.
  var tasks: Int {
    max(1, min(width ?? Crew.shared.cpus, count / (grain ?? 1) + (count % (grain ?? 1) == 0 ? 0 : 1)))
  }

  /// Runs `body` over `0..<count` in pieces, on at most `lanes` threads, the calling one among them.
  ///
  /// It returns when all of them have left.
  ///
  /// - Parameters:
  ///   - context: handed to `body`. It carries everything that the work needs *but the user's closure*, which `body` captures, and
  ///     nothing else: a closure that captures only a constant function is specialised by the compiler, so that the
  ///     user's code is inlined into the loop over a piece. What captures variables of its own is called by the helpers; the
  ///     caller's own loop is here, where it can be inlined all the same.
  ///   - body: runs a piece; false if it failed, and nothing of the piece remains. Calls of the same lane never overlap.
  /// - Returns: nil if every piece was done. Otherwise the ranges that were, if they were to be kept.
  @inlinable
  @inline(__always)
  func run(
    lanes: Int, context: UnsafeRawPointer,
    body: (_ context: UnsafeRawPointer, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool
  ) -> [Range<Int>]? {
    if count == 0 { return nil }
    return withoutActuallyEscaping(body) { helpersBody in
      let call = ParallelCall(self, lanes: lanes, context: context, body: helpersBody)
      var lane = call.lane
      while let piece = lane.next() {
        if !body(context, 0, piece.lowerBound, piece.upperBound) { lane.fail() }
      }
      return call.finish()
    }
  }
}

/// A parallel call as its caller sees it: opened by its initialiser, to be finished in every case.
@usableFromInline
struct ParallelCall {
  private let job: ParallelJob
  private let caller: CrewMember
  private let outerJob: ParallelJob?

  @usableFromInline
  init(
    _ plan: ParallelPlan, lanes: Int, context: UnsafeRawPointer,
    body: @escaping (_ context: UnsafeRawPointer, _ lane: Int, _ lower: Int, _ upper: Int) -> Bool
  ) {
    caller = CrewMember.current
    outerJob = caller.job
    job = ParallelJob(plan, width: lanes, context: context, parent: outerJob)
    job.body = body
    Crew.shared.open(job, by: caller)
    caller.job = job
  }

  /// The caller's own lane.
  @usableFromInline
  var lane: ParallelLane { ParallelLane(job, number: 0) }

  /// Waits for the helpers, and returns what ``ParallelPlan/run(lanes:context:body:)`` does.
  @usableFromInline
  func finish() -> [Range<Int>]? {
    caller.job = outerJob
    Crew.shared.close(job, by: caller)
    // The job may outlive this call for a moment in a helper's hands; the closure must not.
    job.body = nil
    return job.isStopped ? (0..<job.width).flatMap { job.runs[$0] } : nil
  }
}
