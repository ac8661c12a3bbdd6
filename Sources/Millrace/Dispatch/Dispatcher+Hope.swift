/// Where workers cannot be had: which slot is left out, and when that is the end of a job.
///
/// Each slot speaks for itself. One that has failed too often is left out, and the others go on. A job ends for want of workers
/// only when no slot is left that has its worker, is about to have it, or has not tried yet. Of a map inside an item those do
/// not count that are at items of outer maps, or at other workers' set-ups: they may be waiting for it.
extension Dispatcher {
  /// It got no worker, and does not ask for one before then.
  struct Rest {
    let until: UInt64
    /// Whether it was for want of something that others have: then it is asked again when one of them ends.
    let isForRoom: Bool
  }

  /// What went wrong in a slot, whichever workers it had.
  struct Trouble {
    /// When its last workers died on start.
    var startDeaths: [UInt64] = []
    var rest: Rest?
    /// How often it was put to rest since it had a worker.
    var rests = 0
    /// No worker could be started here, and none has been set up since.
    var isShort = false
  }

  // MARK: Set-up

  /// The slot could not set the worker up. It tries again, a few times.
  mutating func setUpFailed(_ slot: Int, _ key: WorkerKey, _ error: any Error) {
    guard let worker = workers[key] else { return }
    let failures = worker.setUpFailures[slot, default: 0] + 1
    let isWanted = worker.users > 0
    if isObserved || !isWanted {
      let generation = slots[slot].generation
      tell(.setUpFailed(slot: slot, generation: generation, key, error, times: failures, isWanted: isWanted))
    }
    if !isWanted { return closeIfDone(key) }
    guard failures >= limits.maximumSetUps else {
      worker.setUpFailures[slot] = failures
      if slots[slot].worker.isUp { slots[slot].worker.toPrepare.append(key) }
      return
    }
    worker.setUpFailures[slot] = nil
    worker.benched.insert(slot)
    let failure =
      error as? WorkerPoolError
      ?? WorkerPoolError(
        .setUpFailed, "the worker could not be set up (slot \(slot))", underlying: error.forUsers, slot: slot)
    passTurns(of: slot) { $0.worker == key }
    failHopeless(failure)
    guard worker.users > 0 else { return }
    tell(.slotBenched(slot: slot, key, failure.underlying ?? error))
  }

  // MARK: Starts

  /// The slot's worker died before it had done anything.
  mutating func diedOnStart(_ slot: Int, _ death: Death) {
    troubles[slot, default: Trouble()].startDeaths.append(now)
    troubles[slot, default: Trouble()].startDeaths.removeAll { now &- $0 > constants.limits.starts.period }
    let policy = limits.starts
    let patience = death.cause.isFromOutside ? policy.patience : 1
    let count = troubles[slot, default: Trouble()].startDeaths.count
    guard count > policy.maximumDeaths * patience else { return }
    troubles[slot, default: Trouble()].startDeaths.removeAll()
    let error = WorkerPoolError(
      .cannotStart, "\(count) workers died on start within \(Duration.nanoseconds(policy.period))",
      underlying: death.cause.map { WorkerFailure($0, standardError: death.standardError) }, slot: slot)
    let rest = Rest(until: now &+ policy.period, isForRoom: false)
    putToRest(slot, rest, error)
  }

  /// No worker could be started in the slot.
  package mutating func startFailed(slot: Int, generation: Int, _ error: any Error, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation), slots[slot].worker.isThere else { return }
    let chunks = slots[slot].worker.assigned.elements
    let phase = slots[slot].worker.phase
    let hadWorkers = !slots[slot].worker.prepared.isEmpty
    if isObserved { tell(.workerNotStarted(slot: slot, generation: generation, error)) }
    vacate(slot)
    for chunk in chunks.reversed() {
      jobs[chunk.job]?.outstanding -= 1
      putBack(chunk)
      releaseIfDone(chunk.job)
    }
    let failure = WorkerPoolError(.cannotStart, "no worker could be started", underlying: error.forUsers, slot: slot)
    if hadWorkers, case .preparing(let key, _) = phase {
      // The slot can have workers, but not this one beside the others.
      setUpFailed(slot, key, failure)
      tryOneMore()
    } else {
      let policy = limits.starts
      let isKnown = policy.isForRoom ? troubles.values.contains(where: \.isShort) : troubles[slot]?.isShort == true
      troubles[slot, default: Trouble()].isShort = true
      let rest = Rest(until: now &+ policy.pause, isForRoom: policy.isForRoom)
      putToRest(slot, rest, failure, isNews: policy.isTold && !isKnown)
    }
    for key in workers.keys { closeIfDone(key) }
    finish()
  }

  /// The slot's worker was ended because it had not started in time.
  mutating func startTimedOut(_ slot: Int) {
    let error = WorkerPoolError(
      .cannotStart, "a worker did not start within \(Duration.nanoseconds(limits.startTime ?? 0))", slot: slot)
    let rest = Rest(until: now &+ limits.starts.period, isForRoom: false)
    putToRest(slot, rest, error)
  }

  /// The slot, which has no worker, gets none for a while. If nobody is waited for then, its jobs have ended.
  private mutating func putToRest(
    _ slot: Int, _ rest: Rest, _ error: WorkerPoolError, isNews: Bool = true
  ) {
    troubles[slot, default: Trouble()].rest = rest
    troubles[slot]?.rests += 1
    restingUntil = max(restingUntil, rest.until)
    passTurns(of: slot) { _ in true }
    failHopeless(error)
    guard slots.indices.contains(where: { slots[$0].level == 0 && mayServe($0) }) else {
      // The next job begins anew.
      for slot in troubles.keys {
        troubles[slot]?.rest = nil
        troubles[slot]?.rests = 0
        troubles[slot]?.isShort = false
      }
      return
    }
    guard isObserved || isNews else { return }
    tell(.slotRests(slot: slot, until: rest.until, error, isForRoom: rest.isForRoom, isNews: isNews))
  }

  /// Whether the slot waits before it asks for a worker again.
  func rests(_ slot: Int) -> Bool { restingUntil > now && troubles[slot]?.rest.map { $0.until > now } ?? false }

  /// Another worker is gone: of the slots that had none for want of something, the first asks again.
  mutating func tryOneMore() {
    let waiting = troubles.filter { $0.value.rest.map { $0.isForRoom && $0.until > now } ?? false }
    let first = waiting.min { ($0.value.rest!.until, $0.key) < ($1.value.rest!.until, $1.key) }
    if let first { troubles[first.key]?.rest = nil }
  }

  // MARK: Hope

  /// Whether the slot has a worker, or may have one.
  func mayServe(_ slot: Int) -> Bool {
    if slots[slot].standing != .open { return false }
    if (troubles[slot]?.rests ?? 0) < limits.starts.attempts { return true }
    // One that tries again has tried: else each would be waited for while another is at it, and nobody gets one.
    return slots[slot].worker.isUp
  }

  /// Whether no slot has the worker, or may have it yet, as far as `isOfUse` says.
  private func isHopeless(_ key: WorkerKey, _ isOfUse: (Int) -> Bool = { _ in true }) -> Bool {
    let benched = workers[key]?.benched ?? []
    return !slots.indices.contains { mayServe($0) && !benched.contains($0) && isOfUse($0) }
  }

  /// Whether no slot will ever run the job.
  func isHopeless(_ spec: JobSpec) -> Bool {
    isHopeless(spec.worker) { serves($0, spec) && !mayWait($0, for: spec) }
  }

  /// Whether the slot is at an item, or another worker's set-up or tear-down, that may be waiting for the job itself, or for one that
  /// waits as it does.
  private func mayWait(_ slot: Int, for spec: JobSpec) -> Bool {
    guard spec.level > 0 else { return false }
    switch slots[slot].worker.phase {
    case .preparing(let key, _) where key != spec.worker, .tearingDown(let key, _) where key != spec.worker:
      return slots[slot].level < spec.level
    default:
      return slots[slot].worker.assigned.elements.contains { (jobs[$0.job]?.spec.level ?? 0) < spec.level }
    }
  }

  /// Ends the jobs that no slot will ever run.
  private mutating func failHopeless(_ error: WorkerPoolError) {
    for key in workers.keys {
      let lost = jobs.entries.filter { !$0.1.ended && $0.1.spec.worker == key && isHopeless($0.1.spec) }
      for (id, _) in lost { failEverything(id, error) }
      guard isHopeless(key) || !lost.isEmpty && workers[key]?.users == 0 else { continue }
      forgetSetUps(key)
      workers[key]?.forgetTroubles()
    }
  }

  /// What only this slot was to run goes to the next that can.
  private mutating func passTurns(of slot: Int, _ isMeant: (Chunk) -> Bool) {
    for chunk in queue.unpin(from: slot, isMeant) { pin(chunk, first: false) }
  }

  /// Ends a job that can never run: what was read of it has `.setUpFailed` as its outcome, where it is to have one.
  private mutating func failEverything(_ id: JobID, _ error: WorkerPoolError) {
    guard let job = jobs[id], !job.ended else { return }
    if !job.spec.failFast, limits.starts.failsItems {
      // Where these are the last, the job ends with them, and no less for this.
      if job.inputError == nil { job.inputError = error }
      let chunks = queue.chunks(of: job) + delayed.filter { $0.job == id }
      for chunk in chunks.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
        for index in chunk.range {
          var failure = ItemFailure(
            index: index, slot: error.slot ?? 0, attempt: chunk.attempt, cause: .setUpFailed(error.underlying ?? error))
          failure.input = (chunk.cell as? InputStore)?.item(at: index)
          settle(
            id,
            Segment(
              range: index..<index + 1, slot: failure.slot, attempt: chunk.attempt, content: .failure(failure),
              cell: chunk.cell))
        }
      }
    }
    end(id, .failed(error))
  }
}
