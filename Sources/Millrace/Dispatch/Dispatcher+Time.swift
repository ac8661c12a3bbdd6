extension Dispatcher {
  /// Time has passed: whatever was due by now is done.
  ///
  /// The alarm stays as it was said last until another is said.
  package mutating func tick(now: UInt64) {
    self.now = now
    if let robAt, robAt <= now {
      self.robAt = nil
      if limits.prefetch > 0 { recall() }
    }
    if let nextOverdue, nextOverdue <= now { endOverdueJobs() }
    var due: [Chunk] = []
    delayed.removeAll { chunk in
      guard chunk.notBefore <= now else { return false }
      due.append(chunk)
      return true
    }
    for chunk in due {
      jobs[chunk.job]?.outstanding -= 1
      putBack(chunk)
    }
    if slots.firstDeadline <= now {
      for slot in slots.indices where slots.deadline(of: slot) <= now {
        if slots[slot].worker.kill == nil { look(at: slot) } else { giveUpIfOverdue(slot) }
      }
    }
    finish()
  }

  /// The whole program stood still until now, and its workers with it, nobody knows since when: all limits begin anew.
  package mutating func stoodStill(now: UInt64) {
    self.now = now
    revivedAt = now
    for job in jobs.values { job.deadline = job.spec.totalTimeout.map { now &+ $0 } }
    nextOverdue = jobs.values.compactMap(\.deadline).min()
    for slot in slots.indices {
      if slots[slot].worker.isStarting { slots[slot].worker.startedAt = now }
      if slots[slot].worker.kill != nil { slots[slot].worker.goneBy = now &+ constants.limits.killTime }
      for place in slots[slot].worker.leavers.indices {
        slots[slot].worker.leavers[place].deadline = now &+ tearDownLimit(slots[slot].worker.leavers[place].worker)
      }
      switch slots[slot].worker.phase {
      case .preparing(let key, _?):
        let limit = slots[slot].worker.isSetUpGivenUp ? constants.limits.cancellationGrace : setUpLimit(key)
        slots[slot].worker.phase = .preparing(key, deadline: now &+ limit)
      case .tearingDown(let key, _?): slots[slot].worker.phase = .tearingDown(key, deadline: now &+ tearDownLimit(key))
      case .ending: slots[slot].worker.phase = .ending(deadline: now &+ constants.limits.endingTime)
      default: break
      }
      for chunk in slots[slot].worker.assigned.heads {
        let limit = jobs[chunk.job]?.spec.itemTimeout
        slots[slot].worker.assigned.change(chunk.id) { chunk in
          if chunk.inspectAt != nil, let limit { chunk.inspectAt = now &+ limit }
          if chunk.abandonAt != nil { chunk.abandonAt = now &+ constants.limits.cancellationGrace }
          chunk.stuck = nil
        }
      }
    }
    finish()
  }

  private mutating func look(at slot: Int) {
    let generation = slots[slot].generation
    if let late = slots[slot].worker.leavers.first(where: { $0.deadline <= now }) {
      return kill(slot, .tearDownTimedOut(late.worker, limit: tearDownLimit(late.worker)))
    }
    switch slots[slot].worker.phase {
    case .preparing(_, let deadline?) where deadline <= now && slots[slot].worker.isSetUpGivenUp:
      return kill(slot, .abandoned)
    case .preparing(let key, let deadline?) where deadline <= now:
      return kill(slot, .setUpTimedOut(key, limit: setUpLimit(key)))
    case .tearingDown(let key, let deadline?) where deadline <= now:
      return kill(slot, .tearDownTimedOut(key, limit: tearDownLimit(key)))
    case .ending(let deadline) where deadline <= now: return kill(slot, .endingTimedOut)
    default: break
    }
    if slots[slot].worker.isStarting, let limit = limits.startTime, now &- slots[slot].worker.startedAt >= limit {
      return kill(slot, .startTimedOut)
    }
    for chunk in slots[slot].worker.assigned.heads {
      if let abandonAt = chunk.abandonAt, abandonAt <= now {
        if mayRun(chunk, slot) { return kill(slot, .abandoned) }
        // It is not known yet whether it was begun.
        slots[slot].worker.assigned.change(chunk.id) { $0.abandonAt = now &+ constants.limits.cancellationGrace }
      }
      if let inspectAt = chunk.inspectAt, inspectAt <= now {
        slots[slot].worker.assigned.change(chunk.id) { $0.inspectAt = nil }
        actions.append(.inspect(slot: slot, generation: generation, chunk: chunk.id))
      }
    }
  }

  private mutating func endOverdueJobs() {
    for (id, job) in jobs.entries {
      guard let deadline = job.deadline, deadline <= now, !job.ended else { continue }
      let limit = Duration.nanoseconds(job.spec.totalTimeout ?? 0)
      let begun = job.hasBegun ? "" : ", all of them waiting for a worker"
      end(id, .failed(WorkerPoolError(.timedOut, "not done within \(limit)\(begun)")))
    }
    nextOverdue = jobs.values.compactMap { $0.ended ? nil : $0.deadline }.min()
  }

  private func setUpLimit(_ key: WorkerKey) -> UInt64 { workers[key]?.setUpTimeout ?? limits.leavingTime }
  func tearDownLimit(_ key: WorkerKey) -> UInt64 { workers[key]?.tearDownTimeout ?? limits.leavingTime }

  /// What has no limit of its own has one from when nobody wants more than its end, and so has a set-up of a worker that is kept, if
  /// others wait for its slot; a set-up is told.
  mutating func limitLeavers() {
    for slot in slots.members(.unlimited) {
      switch slots[slot].worker.phase {
      case .preparing(let key, nil) where isLeaving(slot, key):
        slots[slot].worker.phase = .preparing(key, deadline: now &+ constants.limits.leavingTime)
        // One of a slot that is taken away may be wanted yet: it is tried elsewhere.
        if workers[key].map({ $0.users == 0 }) ?? true, slots[slot].worker.kill == nil {
          cancelSetUp(slot, key)
        }
      case .tearingDown(let key, nil) where isAwaited(slot, key):
        slots[slot].worker.phase = .tearingDown(key, deadline: now &+ constants.limits.leavingTime)
      default: break
      }
    }
  }

  private func isLeaving(_ slot: Int, _ key: WorkerKey) -> Bool {
    guard slots[slot].standing == .open, let worker = workers[key] else { return true }
    return worker.users == 0 && (worker.closing || isNeeded(slot))
  }

  private func isAwaited(_ slot: Int, _ key: WorkerKey) -> Bool {
    if slots[slot].standing != .open { return true }
    return workers[key].map { $0.isAwaited && $0.isUnwanted } ?? true
  }

  /// A worker that was killed, and is not gone, is waited for no longer. Its item may be running yet, so it is not tried again.
  private mutating func giveUpIfOverdue(_ slot: Int) {
    guard let time = slots[slot].worker.goneBy, time <= now else { return }
    var death = Death(running: nil, cause: nil)
    if case .timedOut(let chunk, _, _) = slots[slot].worker.kill { death.running = [chunk: false] }
    isGone(slot, death, isGivenUp: true)
  }

  /// Whether the chunk may be running: it is the first, or was not given back.
  private func mayRun(_ chunk: Chunk, _ slot: Int) -> Bool {
    slots[slot].worker.assigned.first?.id == chunk.id || slots[slot].worker.begun.contains(chunk.id)
  }

  /// The answer to `.inspect`.
  package mutating func inspected(slot: Int, generation: Int, chunk id: Int, _ found: Inspection, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation), var chunk = slots[slot].worker.assigned[id],
      let limit = jobs[chunk.job]?.spec.itemTimeout, slots[slot].worker.kill == nil
    else { return finish() }
    let deadline: UInt64
    var item: Int?
    switch found {
    case .waiting, .behind:
      chunk.stuck = nil
      deadline = now &+ limit
      if case .behind = found { slots[slot].worker.assigned.change(id) { $0.isBehind = true } }
    case .item(let index, let since?):
      item = index
      deadline = max(since, revivedAt) &+ limit
    case .untouched, .item:
      if case .item(let index, _) = found { item = index }
      if chunk.stuck == nil || chunk.stuck?.before != item { chunk.stuck = (item, now) }
      deadline = (chunk.stuck?.since ?? now) &+ max(limit, limits.silence)
    }
    if deadline <= now {
      kill(slot, item.map { .timedOut(chunk: id, index: $0, limit: limit) } ?? .silent)
    } else {
      // Whoever is silent may begin at any moment, and its item's limit with it: it is looked at again before its own is over.
      let (inspectAt, stuck) = (min(deadline, now &+ max(limit, limits.silence / 32)), chunk.stuck)
      slots[slot].worker.assigned.change(id) { ($0.inspectAt, $0.stuck) = (inspectAt, stuck) }
    }
    finish()
  }

  func nextDeadline() -> UInt64? {
    var next: UInt64?
    func consider(_ time: UInt64?) {
      if let time { next = min(next ?? time, time) }
    }
    for chunk in delayed { consider(chunk.notBefore) }
    consider(robAt)
    for id in gathering { if let until = jobs[id]?.parts.until, until > now { consider(until) } }
    consider(nextOverdue)
    if restingUntil > now {
      for slot in troubles.keys where rests(slot) {
        let mayShare = slots.contains(in: .shareable) { other in
          slots[other].worker.shareable(constants.limits).map { mayTake(slot, $0) } ?? false
        }
        if mayShare || isNeeded(slot) { consider(troubles[slot]?.rest?.until) }
      }
    }
    if slots.firstDeadline < .max { consider(slots.firstDeadline) }
    return next
  }
}
