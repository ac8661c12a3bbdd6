/// Takes a job's outcomes, segment by segment. Dropping it cancels what is left of the job.
@usableFromInline
final class Cursor<Input: Sendable, Output: Sendable> {
  let core: PoolCore
  private let request: MapRequest
  private let start: () throws -> JobRecord
  // One consumer has it, and none of its accesses is inside another: they need no check.
  @exclusivity(unchecked) private var job: JobRecord?
  @exclusivity(unchecked) private var segment: Segment?
  /// Segments that were taken along with the current one.
  @exclusivity(unchecked) private var waiting = FIFO<Segment>()
  /// Items that were used up and not reported yet.
  @exclusivity(unchecked) private var consumed = 0
  /// After how many items the pool is told: in a wide window it need not be each.
  private let reportStep: Int
  @exclusivity(unchecked) private var failures: [ItemFailure] = []
  @exclusivity(unchecked) private var failureCount = 0
  @exclusivity(unchecked) private var isOver = false

  /// `start` submits the job; it is called with the first item that is asked for.
  init(core: PoolCore, _ request: MapRequest, start: @escaping () throws -> JobRecord) {
    self.core = core
    self.request = request
    self.start = start
    reportStep = if case .items(let window) = request.options.window.kind { max(1, window / 8) } else { 1 }
  }

  deinit {
    guard let job, !isOver else { return }
    core.cancel(job)
    job.progress?.leave()
    // Whoever has left the loop may read the input himself.
    job.feeder.blockUntilOut()
  }

  /// The next segment; nil at the end. Throws what ended the job, and `WorkerPoolError.nextTimedOut`, after which one may
  /// go on.
  func next() async throws -> Segment? {
    if isOver { return nil }
    let job = try started()
    if request.isPulled { consumed += segment?.range.count ?? 0 }
    segment = waiting.popFirst()
    if let segment {
      if consumed >= reportStep { report(job) }
      return segment
    }
    // Who never has to wait would not be told otherwise.
    if Task.isCancelled { core.cancel(job) }
    var delivery = core.poll(job, consumed: consumed, taking: &waiting)
    consumed = 0
    if delivery == nil {
      let wait = try core.waits(for: job)
      delivery = await core.next(job, limit: request.options.nextTimeout?.nanoseconds)
      core.waited(wait)
    }
    switch delivery! {
    case .segment(let found):
      segment = found
      return found
    case .timedOut:
      throw WorkerPoolError(.nextTimedOut, "no result within \(request.options.nextTimeout ?? .zero)")
    case .end(let end):
      isOver = true
      await job.progress?.finish()
      // Where the consumer works and reads, its items and its input may have been told before the map was.
      let isCancelled = core.driver != nil && Task.isCancelled
      if case .complete = end, !isCancelled {
        if failureCount > 0 { throw ItemFailures(failures: failures, count: failureCount) }
        return nil
      }
      await job.feeder.waitUntilOut()
      if isCancelled { throw CancellationError() }
      switch end {
      case .complete: return nil
      case .cancelled:
        if Task.isCancelled { throw CancellationError() }
        throw WorkerPoolError(.closed, "the pool was terminated")
      case .failed(let error): throw error
      }
    }
  }

  /// What its items took in all, in nanoseconds, as far as that is known; 0 until it has ended.
  var worked: UInt64 { job?.worked ?? 0 }

  private func report(_ job: JobRecord) {
    core.consumed(job, count: consumed)
    consumed = 0
  }

  private func started() throws -> JobRecord {
    if let job { return job }
    do {
      let job = try start()
      self.job = job
      return job
    } catch {
      isOver = true
      throw error
    }
  }

  /// The outputs of the next segment that has any; what a failure means is as the verb was told.
  @usableFromInline
  func nextOutputs() async throws -> (outputs: OutputBuffer<Output>, range: Range<Int>)? {
    while let segment = try await next() {
      switch segment.content {
      case .outputs(let outputs):
        return (unsafeDowncast(outputs, to: OutputBuffer<Output>.self), segment.range)
      case .failure(let failure):
        guard request.onFailure == .collect else { continue }
        failureCount += 1
        if failures.count < ItemFailures.limit { failures.append(failure) }
      }
    }
    return nil
  }
}
