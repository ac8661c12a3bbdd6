import Millrace

extension Ledger {
  // MARK: What the dispatcher wants done for jobs

  mutating func read(_ id: JobID, _ count: Int, _ largest: Int) throws {
    guard var job = jobs[id] else { throw BrokenPromise(description: "reads the input of no job: \(id)") }
    try check(job.end == nil, "\(id): reads on after its end")
    try check(job.reading == nil, "\(id): reads while it reads")
    try check(!job.inputEnded, "\(id): reads on behind the input's end")
    try check(!job.isClosedToInput, "\(id): reads on though the pool drains")
    try check(count > 0, "\(id): reads \(count) items")
    try check(largest == count || job.plan.readsAtOnce, "\(id): reads several chunks at once")
    if let declared = job.plan.declared {
      try check(job.items.count + count <= declared, "\(id): reads beyond the declared \(declared)")
    }
    let inside = job.inside + count
    switch job.plan.window {
    case .items(let limit):
      try check(inside <= limit, "\(id): \(inside) items inside a window of \(limit)")
    case .chunks(let perWorker):
      let chunk = max(largest, job.largestChunk)
      let depth = job.plan.ahead != nil && chunk > 1 ? max(perWorker, JobSpec.depthOfQuick) : perWorker
      let limit = max(
        job.limit ?? (inside == count ? count : 0), Int((Double(chunk) * depth * Double(width)).rounded(.up)))
      job.limit = limit
      try check(inside <= limit, "\(id): \(inside) items inside a window of \(limit) (\(depth) chunks a worker)")
      if let ahead = job.plan.ahead {
        let most = ahead * width + job.taken
        try check(inside <= most, "\(id): \(inside) items inside a window that may have grown to \(most)")
      }
    }
    job.reading = count
    jobs[id] = job
  }

  /// Where the window has room for the largest chunk, its items are on their way.
  func checkReading() throws {
    for (id, job) in jobs where job.reading == nil && job.end == nil && !job.inputEnded && !job.isClosedToInput {
      guard job.plan.chunking != .automatic, job.items.count < job.plan.declared ?? .max else { continue }
      let limit =
        switch job.plan.window {
        case .items(let limit): limit
        case .chunks(let perWorker): Int((Double(job.largestChunk) * perWorker * Double(width)).rounded(.up))
        }
      try check(
        job.inside + job.largestChunk > limit,
        "\(id): \(job.inside) items inside a window of \(limit), and nothing is read")
    }
  }

  /// No job takes longer than it may, but for what its clock is late.
  func checkTotals() throws {
    for (id, job) in jobs where job.end == nil {
      guard let limit = job.plan.totalTimeout else { continue }
      let time = now - max(job.began, revivedAt)
      try check(time <= limit + 200_000, "\(id): takes \(time / 1_000) µs, and may take \(limit / 1_000)")
    }
  }

  /// Jobs of which no slot has got anything.
  ///
  /// Who waits for a map inside an item has begun already.
  var waitingJobs: Int { jobs.values.count { $0.end == nil && !$0.hasBegun && $0.plan.level == 0 } }

  /// Returns the number of items delivered.
  mutating func deliver(_ id: JobID, _ segment: Segment) throws {
    guard let job = jobs[id] else { throw BrokenPromise(description: "delivers to no job: \(id)") }
    try check(job.end == nil, "\(id): delivers after its end")
    try checkTold(id, segment.range)
    try check(!segment.range.isEmpty, "\(id): delivers nothing")
    try check(segment.range.upperBound <= job.items.count, "\(id): delivers \(segment.range), which was not read")
    if job.plan.ordered {
      try check(segment.range.lowerBound == job.next, "\(id): delivers \(segment.range) when \(job.next) is next")
    }
    let cell = segment.cell as? SimulatedItems
    try check(
      cell?.job == id && cell?.range.contains(segment.range.lowerBound) == true
        && cell!.range.upperBound >= segment.range.upperBound, "\(id): \(segment.range) has lost its custody")
    for index in segment.range {
      if case .delivered = job.items[index].state {
        throw BrokenPromise(description: "\(id): item \(index) has two outcomes")
      }
    }
    switch segment.content {
    case .outputs(let outputs):
      try check((outputs as? SimulatedItems)?.job == id, "\(id): \(segment.range) has the outputs of others")
      try check(
        (outputs as? SimulatedItems).map {
          $0.range.lowerBound <= segment.range.lowerBound && $0.range.upperBound >= segment.range.upperBound
        } == true,
        "\(id): \(segment.range) has the outputs of other items")
      for index in segment.range {
        if case .known(.output) = job.items[index].state, segment.attempt == 0 { continue }
        guard case .done(let attempt) = job.items[index].state, attempt == segment.attempt else {
          throw BrokenPromise(
            description:
              "\(id): item \(index) is delivered as made in attempt \(segment.attempt), but is \(job.items[index].state)"
          )
        }
        guard let expected = verdict(job, index), expected.verdict == .output, expected.attempt == segment.attempt
        else {
          throw BrokenPromise(
            description:
              "\(id): item \(index) has an output of attempt \(segment.attempt), expected \(String(describing: verdict(job, index)))"
          )
        }
      }
    case .failure(let failure):
      try check(
        segment.range.count == 1 && failure.index == segment.range.lowerBound, "\(id): a failure of \(segment.range)")
      try check(failure.attempt == segment.attempt, "\(id): a failure of two attempts")
      try checkFailure(id, job, failure)
    }
    for index in segment.range {
      jobs[id]!.items[index].state = .delivered
      if case .failure = segment.content { jobs[id]!.items[index].hasFailed = true }
    }
    jobs[id]!.next = max(job.next, segment.range.upperBound)
    jobs[id]!.delivered += segment.range.count
  }

  private func checkFailure(_ id: JobID, _ job: Job, _ failure: ItemFailure) throws {
    if case .setUpFailed = failure.cause {
      let troubles = workers[job.worker]!.setUpFailures + startTroubles
      try check(troubles > 0, "\(id): item \(failure.index) failed because of set-ups, none of which failed")
      return
    }
    let item = job.items[failure.index]
    if case .known(.failure) = item.state, failure.attempt == 0 { return }
    guard case .failed = item.state, item.failures == failure.attempt else {
      throw BrokenPromise(
        description:
          "\(id): item \(failure.index) failed in attempt \(failure.attempt) (\(failure.cause)), but is \(item)")
    }
    let expected = verdict(job, failure.index)
    try check(
      expected.map { $0.verdict == Self.verdict(of: failure.cause) && $0.attempt == failure.attempt } == true,
      "\(id): item \(failure.index) failed in attempt \(failure.attempt) with \(failure.cause), expected \(String(describing: expected))"
    )
  }

  mutating func end(_ id: JobID, _ end: JobEnd) throws {
    guard let job = jobs[id] else { throw BrokenPromise(description: "ends no job: \(id)") }
    try check(job.end == nil, "\(id): ends twice")
    try wasTold(.end(id))
    jobs[id]!.end = end
    workers[job.worker]!.users -= 1
    if workers[job.worker]!.users == 0 { leaves(job.worker) }
    switch end {
    case .complete:
      try check(
        job.inputEnded || job.isStopped || job.items.count == job.plan.declared,
        "\(id): complete before the input's end")
      try check(
        job.delivered == job.items.count,
        "\(id): complete, but \(job.items.count - job.delivered) items have no outcome")
      if let maximum = job.plan.maximumFailures {
        let failures = job.items.count { $0.hasFailed }
        try check(failures <= maximum, "\(id): complete with \(failures) failures, at most \(maximum) may be")
      }
    case .cancelled:
      try check(job.wasCancelled || isTerminated, "\(id): cancelled by nobody")
    case .failed(let error): try checkEnd(id, job, error)
    }
  }

  private func checkEnd(_ id: JobID, _ job: Job, _ error: any Error) throws {
    switch error {
    case let failure as ItemFailure:
      try check(job.plan.failFast, "\(id): ends with a failure that is no end: \(failure)")
      try checkFailure(id, job, failure)
    case is InputTrouble:
      try check(job.delivered == job.items.count, "\(id): ends with its input's error before all items have outcomes")
    case is DriverTrouble: try check(job.wasFailed, "\(id): failed by nobody")
    case let error as WorkerPoolError:
      switch error.kind {
      case .closed:
        try check(isEnding && !job.plan.endsWithItsRun, "\(id): the pool is closed, says \(error)")
        try check(job.delivered == job.items.count, "\(id): shut down before all items have outcomes")
      case .tooManyFailures:
        let failures = failures(of: job)
        try check(job.plan.maximumFailures.map { failures > $0 } == true, "\(id): \(failures) are too many failures")
      case .timedOut:
        let time = now - max(job.began, revivedAt)
        try check(job.plan.totalTimeout.map { time >= $0 } == true, "\(id): timed out after \(time / 1_000) µs")
      case .setUpFailed:
        try check(workers[job.worker]!.setUpFailures >= 3, "\(id): \(error)")
        try checkNoSlotMayServe(id, job, error)
      case .cannotStart:
        try check(startTroubles > 0, "\(id): \(error)")
        try checkNoSlotMayServe(id, job, error)
      default: throw BrokenPromise(description: "\(id): ends with \(error)")
      }
    default: throw BrokenPromise(description: "\(id): ends with \(error)")
    }
  }

  /// No job uses the worker any more: it is closed, or is kept, and the one that was used longest ago makes room for it.
  private mutating func leaves(_ key: WorkerKey) {
    if !workers[key]!.plan.keeps { workers[key]!.isClosing = true }
    if workers[key]!.isClosing { return }
    departures += 1
    workers[key]!.leftAt = departures
    let kept = workers.filter { !$0.value.isClosing && !$0.value.isClosed && $0.value.leftAt != nil }
    guard kept.count > limits.keptWorkers, let oldest = kept.min(by: { $0.value.leftAt! < $1.value.leftAt! }) else {
      return
    }
    workers[oldest.key]!.isClosing = true
  }

  /// A job ends for want of workers only when each slot has failed to get one, and none is at it.
  private func checkNoSlotMayServe(_ id: JobID, _ job: Job, _ error: WorkerPoolError) throws {
    for slot in levels.indices where serves(slot, job.plan.level) && !mayWait(slot, for: job) {
      try check(slot < slots.count, "\(id): slot \(slot) has not tried yet, but: \(error)")
      let state = slots[slot]
      let failures = state.setUpFailures[job.worker, default: 0]
      if failures >= limits.maximumSetUps { continue }
      if !state.isKilled, state.phase == .up {
        try check(!state.prepared.contains(job.worker), "\(id): slot \(slot) has the worker, but: \(error)")
        try check(state.errand != .preparing(job.worker), "\(id): slot \(slot) sets it up, but: \(error)")
      }
      try check(
        state.startTroubles >= limits.starts.attempts,
        "\(id): slot \(slot) has failed \(failures) times to set it up, and may do it yet, but: \(error)")
    }
  }

  /// Items that have failed for good, whether that was delivered or not.
  private func failures(of job: Job) -> Int {
    if workers[job.worker]!.setUpFailures + startTroubles > 0 { return .max }
    return job.items.indices.count { index in
      if job.items[index].cameFailed { return true }
      guard job.items[index].failures > 0, let verdict = verdict(job, index) else { return false }
      return verdict.verdict != .output && verdict.attempt == job.items[index].failures
    }
  }

  mutating func release(_ id: JobID) throws {
    guard let job = jobs[id] else { throw BrokenPromise(description: "releases no job: \(id)") }
    try check(job.end != nil, "\(id): released before its end")
    try check(!job.isReleased, "\(id): released twice")
    for slot in slots.indices {
      try check(!slots[slot].held.contains { $0.job == id }, "\(id): released while slot \(slot) has a chunk of it")
    }
    jobs[id]!.isReleased = true
  }

  mutating func closed(_ key: WorkerKey) throws {
    guard let worker = workers[key] else { throw BrokenPromise(description: "closes no worker: \(key)") }
    try check(!worker.isClosed, "\(key): closed twice")
    try check(worker.users == 0, "\(key): closed while a job uses it")
    try check(worker.isClosing || isEnding, "\(key): closed, though it is to be kept")
    for slot in slots.indices {
      try check(!slots[slot].prepared.contains(key), "\(key): closed while slot \(slot) has it")
      try check(
        !slots[slot].leavers.values.contains { $0.worker == key }, "\(key): closed while slot \(slot) tears it down")
      try check(slots[slot].errand != .preparing(key), "\(key): closed while slot \(slot) sets it up")
    }
    workers[key]!.isClosed = true
  }
}

/// The input's own error.
struct InputTrouble: Error {}

/// What a driver ends a job with.
struct DriverTrouble: Error {}
