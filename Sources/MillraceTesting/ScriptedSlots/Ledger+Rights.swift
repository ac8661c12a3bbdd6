import Millrace

/// Which of several jobs a slot may serve: no more slots are at a job than it may have, and nothing begins while something more urgent
/// could.
extension Ledger {
  /// Whether the slot (nil: one that has nothing of the job) is at the job, or could be, when the holder has given back what it has.
  func mayHave(_ slot: Int?, _ id: JobID, leaving holder: Int? = nil) -> Bool {
    guard let most = jobs[id]?.plan.maximumSlots else { return true }
    // Suspects have slots of their own, and each a right to the job, before they come to it.
    if hasSuspects { return false }
    let others = slots.indices.count { other in
      other != slot && other != holder && slots[other].held.contains { $0.job == id }
    }
    return others < most
  }

  /// Notes whether others may serve a job now, for which there were slots enough before.
  mutating func noteRights() {
    for (id, job) in jobs where job.plan.maximumSlots != nil {
      let count = slots.count { $0.held.contains { $0.job == id } }
      if hasSuspects || count < holders[id, default: 0] { rightFreedAt = now }
      holders[id] = count
    }
  }

  /// The slot has been given the chunk.
  func checkRight(_ slot: Int, _ chunk: Chunk) throws {
    guard let job = jobs[chunk.job] else { return }
    if let most = job.plan.maximumSlots {
      let count = slots.count { $0.held.contains { $0.job == chunk.job } }
      try check(count <= most, "\(chunk.job): \(count) slots are at it, and \(most) may")
    }
    // What only this slot may run comes first.
    if chunk.slot != nil { return }
    for (id, other) in jobs where other.plan.urgency > job.plan.urgency && other.plan.level == job.plan.level {
      try check(
        !isWaiting(id, other, for: slot),
        "slot \(slot) is given chunk \(chunk.id) of \(chunk.job), though \(id) is more urgent and has items for it")
    }
  }

  /// Whether items of the job are there that the slot could be given.
  private func isWaiting(_ id: JobID, _ job: Job, for slot: Int) -> Bool {
    guard job.end == nil, !job.plan.roundRobin, !slots[slot].givenUp.contains(job.worker), mayHave(slot, id) else {
      return false
    }
    return job.items.indices.contains { index in
      let item = job.items[index]
      if item.isSuspect { return false }
      // What is tried again later is not there yet.
      if item.failures > 0, job.plan.backoff.initial > .zero { return false }
      return isToBeRun(job, index)
    }
  }
}
