extension Dispatcher {
  // MARK: The number of slots

  /// Changes the number of slots.
  ///
  /// Those above it finish what they were given, tear down and go.
  package mutating func resize(to width: Int, now: UInt64) {
    self.now = now
    self.width = width
    if isObserved { tell(.poolResized(width: width)) }
    let before = slots.count
    while slots.count < width { slots.append(Slot()) }
    for slot in slots.indices {
      if slot < width {
        let isNew = slot >= before || slots[slot].level > 0 || slots[slot].standing == .closed
        slots[slot].level = 0
        slots[slot].standing = .open
        if isObserved, isNew { tell(.slotOpened(slot: slot, level: 0)) }
      } else if slots[slot].standing != .closed, slots[slot].level == 0 {
        slots[slot].standing = .closing
        hasLeavers = true
        for chunk in queue.unpin(from: slot) { queue.pin(chunk, to: slot % width, first: false) }
      }
    }
    // Those that have it may be the ones that go.
    for worker in workers.values { worker.forgetTroubles() }
    for slot in troubles.keys {
      troubles[slot]?.rest = nil
      troubles[slot]?.rests = 0
    }
    fitSpareSlots()
    for id in jobs.keys { readOn(id) }
    // What waits in the slots that were there may be there for the new ones.
    if constants.limits.prefetch > 0, slots.contains(where: { $0.worker.assigned.count > 1 }) { robAt = now }
    finish()
  }

  /// Of maps that were begun by items of the same pool, or for which such items wait, each level has spare slots: as many as there are
  /// such maps, but no more than the pool has slots. (No more of their items can be waiting at once.) They stay until the pool
  /// has fewer slots, and have nothing to do while there are no such maps.
  ///
  /// So what waits deepest always finds a slot, and a slot whose item waits is stood in for.
  mutating func fitSpareSlots() {
    guard !hasStopped else { return }
    let wanted = jobs.values.reduce(0) { max($0, $1.ended ? 0 : $1.spec.level) }
    let deepest = slots.reduce(wanted) { max($0, $1.level) }
    guard deepest > 0 else { return }
    for level in 1...deepest {
      var spare = slots.indices.filter { slots[$0].levelOfWork == level }
      while spare.count > width, let slot = spare.last(where: { !slots[$0].worker.isAtWork }) ?? spare.last {
        slots[slot].standing = .closing
        hasLeavers = true
        spare.removeAll { $0 == slot }
      }
      let users = jobs.values.reduce(0) { $0 + ($1.spec.level == level && !$1.ended ? 1 : 0) }
      guard level <= wanted else { continue }
      for _ in spare.count..<max(spare.count, min(max(1, users), width)) { addSpareSlot(level) }
    }
  }

  private mutating func addSpareSlot(_ level: Int) {
    if let leaver = slots.indices.first(where: { slots[$0].standing == .closing && slots[$0].level == level }) {
      slots[leaver].standing = .open
    } else if let place = slots.indices.first(where: { $0 >= width && slots[$0].standing == .closed }) {
      slots[place].standing = .open
      slots[place].level = level
      if isObserved { tell(.slotOpened(slot: place, level: level)) }
    } else {
      slots.append(Slot())
      slots[slots.count - 1].level = level
      if isObserved { tell(.slotOpened(slot: slots.count - 1, level: level)) }
    }
  }

  /// From which level of maps on each slot takes work; nil: it takes none any more.
  package var levels: [Int?] { slots.map(\.levelOfWork) }

  package func level(of slot: Int) -> Int { slots[slot].level }

  /// Whether the slot may run the map.
  func serves(_ slot: Int, _ spec: JobSpec) -> Bool {
    slots[slot].serves(spec.level, apart: constants.limits.levelsAreApart)
  }

  /// Whether the job is read no further when the pool ends, whatever is there of its input.
  ///
  /// - Parameter isDrained: not only jobs that are taken item by item.
  package func leavesInput(of id: JobID, isDrained: Bool) -> Bool {
    guard let job = jobs[id], !job.ended, !job.inputEnded, !job.spec.endsWithItsRun else { return false }
    return isDrained || job.spec.isPulled
  }

  /// Ends the pool once every job has ended: workers tear down, then go.
  package mutating func shutDown(now: UInt64) {
    self.now = now
    closes(.shutDown)
    for (id, job) in jobs.entries
    where job.spec.isPulled && !job.ended && !job.inputEnded && !job.spec.endsWithItsRun {
      endInput(job, id)
      job.inputError = WorkerPoolError.shutDownBeforeTheEnd
      job.isReading = false
      completeIfDone(id)
    }
    finish()
  }

  /// Reads no more input: what was read is finished, then every job ends with the error.
  package mutating func drain(_ error: any Error, now: UInt64) {
    self.now = now
    closes(.drained)
    for (id, job) in jobs.entries where !job.ended && !job.spec.endsWithItsRun {
      endInput(job, id)
      job.inputError = error
      job.isReading = false
      completeIfDone(id)
    }
    finish()
  }

  /// Ends the pool now: every job is cancelled, every worker ended.
  package mutating func terminate(now: UInt64) {
    self.now = now
    closes(.terminated)
    for id in jobs.keys { end(id, .cancelled) }
    for slot in slots.indices {
      if slots[slot].standing == .open { slots[slot].standing = .closing }
      if slots[slot].worker.isThere { kill(slot, .terminated) }
    }
    finish()
  }

  private mutating func closes(_ how: PoolClosing) {
    draining = true
    hasLeavers = true
    closing = how
    if isObserved { tell(.poolClosing(how)) }
  }

  mutating func stopIfDrained() {
    guard draining, !hasStopped, jobs.values.allSatisfy(\.ended) else { return }
    for slot in slots.indices where slots[slot].standing != .closed { slots[slot].standing = .closing }
    for slot in slots.indices {
      if limits.starts.waitsForOthers, slots[slot].worker.isStarting, slots[slot].worker.kill == nil {
        kill(slot, .terminated)
      }
      fill(slot)
    }
    guard slots.allSatisfy({ $0.standing == .closed }), jobs.isEmpty else { return }
    hasStopped = true
    for key in workers.keys { actions.append(.closed(key)) }
    workers.removeAll()
    constants.members = [:]
    if isObserved { tell(.poolStopped) }
    actions.append(.stopped)
  }

  // MARK: Members

  /// Another program works for the pool from now on. That changes nothing of what is done: chunks are out, whoever takes them.
  package mutating func memberJoined(_ member: PoolMember, now: UInt64) {
    self.now = now
    guard !hasStopped, constants.members.updateValue(member, forKey: member.name) == nil else { return }
    if isObserved { tell(.memberJoined(member)) }
  }

  /// It does not any more; `isLost`, if it did not say so. What it had comes back by whoever has given it to it.
  package mutating func memberLeft(_ name: String, isLost: Bool, now: UInt64) {
    self.now = now
    guard let member = constants.members.removeValue(forKey: name) else { return }
    if isObserved { tell(.memberLeft(member, isLost: isLost)) }
  }

  /// So many chunks a member, perhaps one that has left, has brought too late.
  package mutating func resultsLate(of member: String, count: Int, now: UInt64) {
    self.now = now
    guard !hasStopped else { return }
    constants.lateResults += count
    if isObserved { tell(.resultsLate(member: member, count: count)) }
  }

  // MARK: The life of a worker in its slot

  /// A worker was started in the slot and can be told what to do.
  package mutating func started(slot: Int, generation: Int, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation), slots[slot].worker.isStarting else { return }
    slots[slot].worker.phase = .ready
    if isObserved { tell(.workerStarted(slot: slot, generation: generation)) }
    slots[slot].worker.startedAt = now
    for (_, job) in jobs.entries
    where !job.ended && job.hasChunks && job.spec.eagerSetUp && !slots[slot].startsBare {
      if workers[job.spec.worker]?.benched.contains(slot) == true || !serves(slot, job.spec) { continue }
      if !slots[slot].worker.toPrepare.contains(job.spec.worker) {
        slots[slot].worker.toPrepare.append(job.spec.worker)
      }
    }
    finish()
  }

  package mutating func prepared(slot: Int, generation: Int, _ key: WorkerKey, now: UInt64) {
    self.now = now
    guard isSettingUp(slot, generation, key) else { return }
    slots[slot].worker.phase = .ready
    slots[slot].worker.isSetUpGivenUp = false
    slots[slot].worker.isSetUpCancelled = false
    if isObserved { tell(.setUpEnded(slot: slot, generation: generation, key)) }
    slots[slot].worker.prepared.append(key)
    workers[key]?.setUpFailures[slot] = nil
    slots[slot].worker.served.append(Slot.Worker.Service(worker: key, since: now))
    slots[slot].worker.hasWorked = true
    troubles[slot] = nil
    finish()
  }

  /// The worker's set-up threw.
  ///
  /// The slot's worker is fit for others.
  package mutating func prepareFailed(slot: Int, generation: Int, _ key: WorkerKey, _ error: any Error, now: UInt64) {
    self.now = now
    guard isSettingUp(slot, generation, key) else { return }
    slots[slot].worker.phase = .ready
    if slots[slot].worker.isSetUpCancelled, let worker = workers[key], worker.users > 0 {
      // Another map wants it after all, and this is no failure.
      let failures = worker.setUpFailures[slot, default: 0]
      if isObserved {
        tell(.setUpFailed(slot: slot, generation: generation, key, error, times: failures, isWanted: true))
      }
      slots[slot].worker.toPrepare.append(key)
    } else {
      setUpFailed(slot, key, error)
    }
    slots[slot].worker.isSetUpGivenUp = false
    slots[slot].worker.isSetUpCancelled = false
    finish()
  }

  /// Whether the slot's set-up still counts. One that is being killed for its slowness may end on its way out: what it
  /// says then is not why it failed.
  private func isSettingUp(_ slot: Int, _ generation: Int, _ key: WorkerKey) -> Bool {
    guard isCurrent(slot, generation), slots[slot].worker.kill == nil else { return false }
    if case .preparing(key, _) = slots[slot].worker.phase { return true }
    return false
  }

  /// - Parameter number: of the instance, where it was torn down apart.
  package mutating func tornDown(
    slot: Int, generation: Int, _ key: WorkerKey, apart number: Int? = nil, now: UInt64
  ) {
    self.now = now
    if let number {
      guard isCurrent(slot, generation) else { return }
      slots[slot].worker.leavers.removeAll { $0.number == number }
      closeIfDone(key)
      return finish()
    }
    guard isCurrent(slot, generation), case .tearingDown(key, _) = slots[slot].worker.phase else { return }
    slots[slot].worker.phase = .ready
    if isObserved { tell(.tearDownEnded(slot: slot, generation: generation, key)) }
    leave(slot, key)
    finish()
  }

  /// The slot's worker is gone: it died, was killed, or ended as it was told.
  package mutating func died(slot: Int, generation: Int, _ death: Death, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation), slots[slot].worker.isThere else { return }
    isGone(slot, death)
    finish()
  }

  /// The slot's worker is gone, or is given up: what it had is settled.
  ///
  /// `isGivenUp`: it was killed, and may not be gone.
  mutating func isGone(_ slot: Int, _ death: Death, isGivenUp: Bool = false) {
    let worker = slots[slot].worker
    let reason = death.isOwn ? nil : worker.kill
    let wasToldToEnd = worker.isEnding || reason != nil || death.cause.isCancelled
    let diedYoung = !worker.hasWorked && now &- worker.startedAt < constants.limits.starts.youth
    let departure = WorkerDeparture(
      cause: worker.end(death, reason, isGivenUp: isGivenUp), activity: worker.activity,
      leavers: worker.leavers.map(\.worker),
      endingTime: limits.endingTime, standardError: death.standardError)
    tell(.workerEnded(slot: slot, generation: slots[slot].generation, departure))
    vacate(slot)
    looksAgain()
    if worker.hasRun { slots[slot].startsBare = false } else if worker.isSetUpInVain { slots[slot].startsBare = true }
    // What it had of the system's is free.
    tryOneMore()

    var rest: [Chunk] = []
    for var chunk in worker.assigned.elements {
      jobs[chunk.job]?.outstanding -= 1
      if let job = jobs[chunk.job], !job.ended {
        if let retryable = death.running[chunk.id], !chunk.range.isEmpty {
          switch reason {
          // The item that was too slow may just have made it: then the next one was running, which is not to blame.
          case .timedOut(chunk.id, chunk.range.lowerBound, let limit):
            failItem(&chunk, slot, .timedOut(limit: .nanoseconds(limit)), retryable, death.standardError)
          case nil where death.suspects > 1 && !chunk.isSuspect: setApart(&chunk, slot)
          case nil:
            if let cause = death.cause { failItem(&chunk, slot, cause, retryable, death.standardError) }
          default: break  // killed for something else: nobody is to blame
          }
        }
        if !chunk.range.isEmpty { rest.append(chunk) }
      } else {
        releaseIfDone(chunk.job)
      }
    }
    for chunk in rest.reversed() { putBack(chunk) }

    switch worker.phase {
    case .preparing(let key, _):
      let isWantedAfterAll = worker.isSetUpCancelled && workers[key].map { $0.users > 0 } == true
      if case .setUpTimedOut(key, let limit) = reason, !isWantedAfterAll {
        setUpFailed(slot, key, WorkerFailure(.timedOut(limit: .nanoseconds(limit))))
      } else if !wasToldToEnd, death.cause.isFromOutside || death.suspects > 1 {
        diedOnStart(slot, death)
      } else if isWantedAfterAll {
        // This is no failure: as where it throws.
      } else if !wasToldToEnd, let cause = death.cause {
        setUpFailed(slot, key, WorkerFailure(cause, standardError: death.standardError))
      }
    case .tearingDown, .ending, .none: break
    case .starting, .ready:
      if case .startTimedOut = reason { startTimedOut(slot) }
      if !wasToldToEnd, worker.isStarting || (diedYoung && death.running.isEmpty) { diedOnStart(slot, death) }
    }
    for key in workers.keys { closeIfDone(key) }
  }

  mutating func vacate(_ slot: Int) {
    askedBack -= slots[slot].worker.revoking.count
    slots[slot].worker = Slot.Worker()
    if slots[slot].standing == .closing { closed(slot) }
  }

  /// The slot, which has no worker, is no longer part of the pool.
  mutating func closed(_ slot: Int) {
    slots[slot].standing = .closed
    if isObserved { tell(.slotClosed(slot: slot)) }
  }

  // MARK: Set-up and tear-down

  mutating func prepareEverywhere(_ spec: JobSpec) {
    let key = spec.worker
    let benched = workers[key]?.benched ?? []
    for slot in slots.indices where slots[slot].worker.isUp && !benched.contains(slot) && serves(slot, spec) {
      if slots[slot].worker.prepared.contains(key) || slots[slot].worker.toPrepare.contains(key) { continue }
      if case .preparing(key, _) = slots[slot].worker.phase { continue }
      slots[slot].worker.toPrepare.append(key)
    }
  }

  mutating func forgetSetUps(_ key: WorkerKey) {
    for slot in slots.indices where slots[slot].worker.toPrepare.contains(key) {
      slots[slot].worker.toPrepare.removeAll { $0 == key }
    }
  }

  /// What is under way of the worker's set-ups is given up, as an item is.
  mutating func giveUpSetUps(_ key: WorkerKey) {
    for slot in slots.indices where slots[slot].worker.kill == nil && !slots[slot].worker.isSetUpGivenUp {
      guard case .preparing(key, let deadline) = slots[slot].worker.phase else { continue }
      slots[slot].worker.isSetUpGivenUp = true
      slots[slot].worker.phase = .preparing(
        key, deadline: min(deadline ?? .max, now &+ constants.limits.cancellationGrace))
      cancelSetUp(slot, key)
    }
  }

  /// The set-up is told that nobody wants the worker any more.
  mutating func cancelSetUp(_ slot: Int, _ key: WorkerKey) {
    slots[slot].worker.isSetUpCancelled = true
    actions.append(.cancelSetUp(slot: slot, generation: slots[slot].generation, key))
  }

  /// Nobody will need the worker again: its instances tear down, then `.closed` is said.
  package mutating func close(_ key: WorkerKey, now: UInt64) {
    self.now = now
    guard workers[key] != nil else { return }
    workers[key]!.closing = true
    workers[key]!.isAwaited = true
    kept.removeAll { $0 == key }
    hasLeavers = true
    closeIfDone(key)
    finish()
  }

  mutating func closeIfDone(_ key: WorkerKey) {
    guard let worker = workers[key], worker.isUnwanted else { return }
    forgetSetUps(key)
    hasUnneeded = true
    if worker.isAwaited, limits.tearsDownApart { tearDownApart(key) }
    var isThere = false
    for slot in slots {
      if slot.worker.prepared.contains(key) || slot.worker.leavers.contains(where: { $0.worker == key }) {
        isThere = true
      }
      switch slot.worker.phase {
      case .preparing(key, _): (isThere, hasLeavers) = (true, true)
      case .tearingDown(key, _): isThere = true
      default: break
      }
    }
    if isThere { return }
    workers[key] = nil
    actions.append(.closed(key))
  }

  /// The slots that have the worker, and are at something else, do not end that before it is torn down.
  private mutating func tearDownApart(_ key: WorkerKey) {
    for slot in slots.indices
    where slots[slot].worker.prepared.contains(key) && slots[slot].worker.isOccupied(besides: key) {
      numberOfLeavers += 1
      slots[slot].worker.prepared.removeAll { $0 == key }
      slots[slot].worker.served.removeAll { $0.worker == key }
      slots[slot].worker.leavers.append(
        Slot.Worker.Leaver(worker: key, number: numberOfLeavers, deadline: now &+ tearDownLimit(key)))
      actions.append(
        .tearDownApart(slot: slot, generation: slots[slot].generation, key, number: numberOfLeavers))
    }
  }

  private mutating func leave(_ slot: Int, _ key: WorkerKey) {
    slots[slot].worker.prepared.removeAll { $0 == key }
    slots[slot].worker.served.removeAll { $0.worker == key }
    closeIfDone(key)
  }

  mutating func kill(_ slot: Int, _ reason: KillReason) {
    guard slots[slot].worker.isThere, slots[slot].worker.kill == nil else { return }
    slots[slot].worker.kill = reason
    if isObserved { tell(.workerKilled(slot: slot, generation: slots[slot].generation, reason)) }
    slots[slot].worker.goneBy = now &+ limits.killTime
    actions.append(.kill(slot: slot, generation: slots[slot].generation))
  }

  /// The limit on time, in nanoseconds, for which the slot's worker was killed, if it was this item that had broken it.
  package func limit(brokenBy chunk: Int, _ index: Int, in slot: Int) -> UInt64? {
    guard slots.indices.contains(slot), case .timedOut(chunk, index, let limit)? = slots[slot].worker.kill else {
      return nil
    }
    return limit
  }

  func isCurrent(_ slot: Int, _ generation: Int) -> Bool {
    slots.indices.contains(slot) && slots[slot].generation == generation
  }
}

extension Dispatcher.Slot.Worker {
  fileprivate var isAtWork: Bool { isThere && !assigned.isEmpty }

  /// How it left its slot, which died of this.
  fileprivate func end(_ death: Death, _ reason: KillReason?, isGivenUp: Bool) -> WorkerDeparture.Cause {
    if let reason { return isGivenUp ? .givenUp(reason) : .killed(reason) }
    if isEnding { return .ended }
    return death.cause.map { .died($0) } ?? .endedWithAnother
  }

  fileprivate var activity: WorkerDeparture.Activity {
    switch phase {
    case .starting, .none: return .starting
    case .preparing(let key, _): return .settingUp(key)
    case .tearingDown(let key, _): return .tearingDown(key)
    case .ending: return .ending
    case .ready: return assigned.isEmpty ? .idle : .working
    }
  }
}

extension Dispatcher.Slot {
  /// From which level of maps on it takes work; nil: it takes none any more.
  fileprivate var levelOfWork: Int? { standing == .open ? level : nil }
}
