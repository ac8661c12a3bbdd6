/// Items that wait for jobs which they have not made: for these no slot may be left but those whose items wait.
///
/// So a job for which an item waits has a level above the item's own, whoever made it, and spare slots of that level run it. Where
/// its own items wait for others, those are raised with it. What waits deepest always finds a slot so: all of its level are at items
/// of that level or above, none of which waits.
extension Dispatcher {
  /// An item of `waiter`, or a set-up of this level, begins to wait for the job.
  ///
  /// False if too many would wait for each other, or in a circle: then it must not wait.
  package mutating func waits(_ waiter: JobID?, level: Int, for id: JobID, now: UInt64) -> Bool {
    self.now = now
    guard let job = jobs[id], !job.ended else { return true }
    var seen: Set<JobID> = []
    if let waiter, isAwaited(waiter, by: id, &seen) { return false }
    let maker = waiter.flatMap { jobs[$0] }
    maker?.awaits[id, default: 0] += 1
    var levels: [JobID: Int] = [:]
    guard lift(id, over: max(level, maker?.spec.level ?? 0), &levels) else {
      forget(waiter, id)
      return false
    }
    // Slots that could have set it up may be at items that wait for it now: so those that could not are asked again. Not while
    // another is left: else each item that waits would raise the job once more, until one may not.
    var asked: Set<JobID> = []
    for short in benched(id, &asked) where levels[short] == nil && isHopeless(jobs[short]!.spec) {
      guard lift(short, over: jobs[short]!.spec.level, &levels) else {
        forget(waiter, id)
        return false
      }
    }
    guard !levels.isEmpty else { return true }
    raise(levels)
    finish()
    return true
  }

  /// Of the job and those that it waits for, the ones that a slot has failed to set up.
  private func benched(_ id: JobID, _ asked: inout Set<JobID>) -> [JobID] {
    guard let job = jobs[id], !job.ended, asked.insert(id).inserted else { return [] }
    let others = job.awaits.keys.sorted().flatMap { benched($0, &asked) }
    return workers[job.spec.worker]?.benched.isEmpty == false ? [id] + others : others
  }

  /// The item does not wait for the job any more.
  package mutating func waited(_ waiter: JobID?, for id: JobID) { forget(waiter, id) }

  /// Whether the other job's items wait for the job, or it is the job itself.
  private func isAwaited(_ id: JobID, by other: JobID, _ seen: inout Set<JobID>) -> Bool {
    if id == other { return true }
    guard let awaits = jobs[other]?.awaits, !awaits.isEmpty, seen.insert(other).inserted else { return false }
    return awaits.keys.contains { isAwaited(id, by: $0, &seen) }
  }

  private func forget(_ waiter: JobID?, _ id: JobID) {
    guard let maker = waiter.flatMap({ jobs[$0] }), let count = maker.awaits[id] else { return }
    maker.awaits[id] = count > 1 ? count - 1 : nil
  }

  /// A job that was not raised, because it had its slot, has lost that.
  mutating func lostItsSlot(_ job: Job, _ id: JobID) {
    job.isSpared = false
    var levels: [JobID: Int] = [:]
    if lift(id, over: job.spec.level, &levels) { raise(levels) }
  }

  /// Notes the levels of the job, and of those for which it waits, if items of the level wait for it. False if one is too high.
  private func lift(_ id: JobID, over level: Int, _ levels: inout [JobID: Int]) -> Bool {
    guard let job = jobs[id], !job.ended else { return true }
    let hasSlot = hasItsSlot(job)
    if hasSlot { job.isSpared = true }
    let wanted = hasSlot ? level : level + 1
    guard (levels[id] ?? job.spec.level) < wanted else { return true }
    guard wanted <= limits.mostLevels else { return false }
    levels[id] = wanted
    return job.awaits.keys.allSatisfy { lift($0, over: wanted, &levels) }
  }

  /// Whether all of the job is at a slot that does nothing else before it.
  private func hasItsSlot(_ job: Job) -> Bool {
    limits.prefetch == 0 && !limits.levelsAreApart && job.inputEnded && job.read == 1 && job.hasBegun
      && job.spec.retries == 0 && job.ready.isEmpty
  }

  private mutating func raise(_ levels: [JobID: Int]) {
    for id in levels.keys.sorted() {
      guard let job = jobs[id] else { continue }
      if !job.hasBegun, job.spec.level == 0 { waitingJobs -= 1 }
      job.spec.level = levels[id]!
      queue.reinsert(job)
      if isObserved { tell(.jobRaised(id, level: job.spec.level)) }
      actions.append(.raised(id, level: job.spec.level))
      if job.spec.roundRobin { unpin(job, id) }
      // Those that could not set it up may have been the only ones of its new level.
      workers[job.spec.worker]?.forgetTroubles()
      for slot in slots.indices { takeBack(job, id, slot) }
    }
    fitSpareSlots()
  }

  /// Its turn may be that of a slot whose item waits for it.
  private mutating func unpin(_ job: Job, _ id: JobID) {
    job.spec.roundRobin = false
    let chunks = queue.unpin(id)
    for slot in slots.indices {
      // What a slot is at already may be shared like what has no turn.
      for chunk in slots[slot].worker.assigned.elements where chunk.job == id && !chunk.isSuspect {
        slots[slot].worker.assigned.change(chunk.id) { $0.slot = nil }
      }
    }
    for index in delayed.indices where delayed[index].job == id { delayed[index].slot = nil }
    for var chunk in chunks.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      chunk.slot = nil
      job.ready.append(chunk)
    }
    offer(id)
  }

  /// Takes back what the slot has not begun of the job, if it waits there behind others or is not for this slot any more.
  private mutating func takeBack(_ job: Job, _ id: JobID, _ slot: Int) {
    guard slots[slot].worker.kill == nil else { return }
    let isRight = serves(slot, job.spec)
    let chunks = isRight ? slots[slot].worker.assigned.waiting : slots[slot].worker.assigned.elements
    for chunk in chunks where chunk.job == id && chunk.abandonAt == nil && !slots[slot].worker.begun.contains(chunk.id)
    {
      guard asksBack(chunk.id, of: slot) else { continue }
      actions.append(
        .revoke(slot: slot, generation: slots[slot].generation, chunk: chunk.id, from: chunk.range.lowerBound))
    }
  }
}
