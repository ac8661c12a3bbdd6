import Millrace

/// Maps inside items: which slots they may have, and how many.
extension Ledger {
  /// Whether the slot takes work of this level.
  func serves(_ slot: Int, _ level: Int) -> Bool {
    guard slot < levels.count, let own = levels[slot] else { return false }
    return limits.levelsAreApart ? own == level : own <= level
  }

  /// Whether the slot is at something that may itself wait for the job.
  func mayWait(_ slot: Int, for job: Job) -> Bool {
    guard slots.indices.contains(slot) else { return false }
    if let errand = slots[slot].errand, errand != .preparing(job.worker), errand != .tearingDown(job.worker) {
      return levels[slot].map { $0 < job.plan.level } ?? false
    }
    return slots[slot].held.contains { jobs[$0.job]!.plan.level < job.plan.level }
  }

  /// The slot is given a chunk of this level.
  func checkLevel(_ slot: Int, _ level: Int) throws {
    if limits.levelsAreApart {
      return try check(slot == level, "slot \(slot) is given work of level \(level)")
    }
    // Whatever the dispatcher thinks of its slots: no item of an outer map begins because others wait.
    var count = 0
    for slot in slots where slot.lastGiven > givenBefore {
      if slot.held.contains(where: { jobs[$0.job]!.plan.level <= level }) { count += 1 }
    }
    let most = width * (level + 1)
    try check(count <= most, "\(count) slots are at work of level \(level) or less in a pool of \(width)")
  }

  /// Each level of maps inside items has a slot for each of them, and none for more than the pool has.
  func checkLevels() throws {
    if isEnding || isStopped { return }
    try check(levels.count { $0 == 0 } == width, "\(levels.count { $0 == 0 }) slots in a pool of \(width)")
    guard let most = levels.lazy.compactMap({ $0 }).max() else { return }
    let deepest = max(most, jobs.values.lazy.filter { $0.end == nil }.map(\.plan.level).max() ?? 0)
    guard deepest > 0 else { return }
    for level in 1...deepest {
      let spare = levels.count { $0 == level }
      try check(spare <= width, "\(spare) slots stand in at level \(level) of a pool of \(width)")
      let users = jobs.values.count { $0.end == nil && $0.plan.level == level }
      try check(
        spare >= min(users, width), "\(spare) slots stand in for \(users) maps of level \(level) in a pool of \(width)")
    }
  }
}
