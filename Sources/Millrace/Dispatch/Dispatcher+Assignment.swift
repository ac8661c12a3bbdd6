extension Dispatcher {
  // MARK: Giving work to slots

  mutating func fillSlots() {
    if hasUnneeded { hasUnneeded = workers.values.contains(where: \.isUnwanted) }
    let hasWork = !queue.isEmpty
    var without: SlotSets = .onErrand
    if hasWork || hasUnneeded { without.insert(.idle) }
    if hasWork || eagerJobs > 0 || slots.hasAny(.laden) { without.insert(.vacant) }
    // Who has nothing to do comes before those who would only queue more: else a slot takes its stolen chunk back.
    if constants.limits.prefetch > 0, slots.hasAny(without) {
      let ready = queue.count(atMost: width * (constants.limits.prefetch + 2))
      fillAll(without, upTo: max(1, ready / max(1, width)))
    }
    if !queue.isEmpty { without.insert(.hungry) }
    fillAll(without)
    if constants.limits.prefetch > 0 { steal() }
    if let shareTime = constants.limits.shareTime { share(after: shareTime) }
  }

  private mutating func fillAll(_ sets: SlotSets, upTo limit: Int = .max) {
    var sets = sets
    var next = slots.next(from: 0, sets)
    while let slot = next {
      fill(slot, upTo: limit)
      if queue.isEmpty { sets.remove(.hungry) }
      next = slots.next(from: slot + 1, sets)
    }
  }

  mutating func fill(_ slot: Int, upTo limit: Int = .max) {
    guard slots[slot].worker.isReady else {
      if slots[slot].isVacant { startIfWanted(slot) }
      return
    }
    guard slots[slot].worker.kill == nil else { return }
    if slots[slot].worker.assigned.isEmpty, goOnErrand(slot) { return }
    guard !slots[slot].retires, !queue.isEmpty(for: slot) else { return }
    let depth = min(limit, depth(slot))
    var chunks = slots[slot].worker.assigned.count
    // Half of them are left before more are given, so that those are a batch.
    guard chunks * 2 <= depth, !hasErrand(slot) else { return }
    while chunks < depth, let chunk = pick(slot, atMost: depth - chunks) {
      assign(chunk, to: slot)
      chunks += chunk.count
      if slots[slot].worker.isAtUnknown { break }
    }
    if chunks > 1, slots.count > 1 {
      let due = slots[slot].worker.busySince &+ constants.stallTime
      if robAt.map({ due < $0 }) ?? true { robAt = due }
    }
  }

  /// Apart from what is asked of every slot at every step, which is to stay small.
  @inline(never)
  private mutating func startIfWanted(_ slot: Int) {
    if slots[slot].standing == .closing {
      closed(slot)
    } else if isWanted(slot) {
      slots[slot].worker = Slot.Worker(phase: .starting, startedAt: now)
      slots[slot].generation += 1
      let generation = slots[slot].generation
      if isObserved { tell(.workerStarting(slot: slot, generation: generation, replaces: generation > 1)) }
      actions.append(.start(slot: slot, generation: generation))
    }
  }

  /// Whether there is something that a worker of this slot, which has none, would do.
  private func isWanted(_ slot: Int) -> Bool {
    if rests(slot) { return false }
    return isNeeded(slot)
      || eagerJobs > 0
        && jobs.values.contains { job in
          !job.ended && job.spec.eagerSetUp && job.hasChunks && serves(slot, job.spec)
            && workers[job.spec.worker]?.benched.contains(slot) != true
        }
  }

  /// Whether there is work that waits for a worker, and this slot's would do it.
  func isNeeded(_ slot: Int) -> Bool {
    if !queue.chunks(pinnedTo: slot).isEmpty { return true }
    // What waits behind another slot's work can be taken from there.
    let canTake = slots.contains(in: .laden) { other in
      slots[other].worker.assigned.waiting.contains {
        $0.slot == nil && $0.abandonAt == nil && mayTake(slot, $0, leaving: other)
      }
    }
    if canTake { return true }
    // Of jobs that have something ready: there may be very many that only wait.
    var place = 0
    while let job = queue.job(at: place) {
      if !job.ended, !job.ready.isEmpty, mayServe(slot, job) { return true }
      place += 1
    }
    return false
  }

  /// How many chunks may be at the slot now.
  func depth(_ slot: Int) -> Int {
    // While something is asked back, what comes before it is not known yet.
    if slots.count > 1, askedBack > 0 || takesLong(slot) { return 1 }
    return slots[slot].worker.mostChunks(constants, ofMany: slots.count > 1)
  }

  /// Set-up, tear-down, the end of its life: what an idle slot does before it takes chunks.
  ///
  /// Whether it has gone on one.
  private mutating func goOnErrand(_ slot: Int) -> Bool {
    if slots[slot].retires {
      if let key = slots[slot].worker.prepared.last { return tearDown(slot, key) }
      return slots[slot].worker.leavers.isEmpty ? stop(slot) : true
    }
    for key in slots[slot].worker.prepared where workers[key]?.isUnwanted == true { return tearDown(slot, key) }
    while !slots[slot].worker.toPrepare.isEmpty {
      let key = slots[slot].worker.toPrepare.removeFirst()
      if workers[key] != nil, !slots[slot].worker.prepared.contains(key) { return prepare(slot, key) }
    }
    return false
  }

  /// Whether the slot has to be idle some time: else it would never be, with a job that always has another chunk for it.
  private func hasErrand(_ slot: Int) -> Bool {
    // Asked of a slot at each of its steps: without closures, for which the dispatcher would be copied.
    for key in slots[slot].worker.toPrepare where workers[key] != nil {
      if !slots[slot].worker.prepared.contains(key) { return true }
    }
    for key in slots[slot].worker.prepared where workers[key]?.isUnwanted == true { return true }
    return false
  }

  @inline(never)
  private mutating func stop(_ slot: Int) -> Bool {
    let generation = slots[slot].generation
    slots[slot].worker.phase = .ending(deadline: now &+ constants.limits.endingTime)
    if isObserved {
      tell(.workerStopping(slot: slot, generation: generation, isReplaced: slots[slot].standing == .open))
    }
    actions.append(.stop(slot: slot, generation: generation))
    return true
  }

  @inline(never)
  private mutating func prepare(_ slot: Int, _ key: WorkerKey) -> Bool {
    slots[slot].worker.phase = .preparing(key, deadline: workers[key]?.setUpTimeout.map { now &+ $0 })
    slots[slot].worker.toPrepare.removeAll { $0 == key }
    if isObserved { tell(.setUpBegan(slot: slot, generation: slots[slot].generation, key)) }
    actions.append(.prepare(slot: slot, generation: slots[slot].generation, key))
    return true
  }

  @inline(never)
  private mutating func tearDown(_ slot: Int, _ key: WorkerKey) -> Bool {
    slots[slot].worker.phase = .tearingDown(key, deadline: workers[key]?.tearDownTimeout.map { now &+ $0 })
    if isObserved { tell(.tearDownBegan(slot: slot, generation: slots[slot].generation, key)) }
    actions.append(.tearDown(slot: slot, generation: slots[slot].generation, key))
    return true
  }

  /// The next chunks for the slot, a batch of at most so many.
  ///
  /// If their worker is not set up here yet, sets it up instead and returns nil.
  private mutating func pick(_ slot: Int, atMost count: Int) -> Chunk? {
    if queue.hasPinned, let (place, job) = nextPinned(to: slot) {
      return isReady(slot, job) ? queue.takePinned(to: slot, at: place) : nil
    }
    var passed: [Job] = []
    var place = 0
    while let job = queue.job(at: place) {
      guard !job.ended, !job.ready.isEmpty else {
        queue.leave(at: place)
        continue
      }
      if mayServe(slot, job) {
        // What is more urgent has to wait for what the slot has: less urgent work is not put between the two.
        let isOutdone =
          !passed.isEmpty && passed.contains { $0.spec.level == job.spec.level && $0.spec.urgency > job.spec.urgency }
        let isUnknown = isUnknown(job)
        if isOutdone || isUnknown && !slots[slot].worker.assigned.isEmpty || !isReady(slot, job) {
          if !slots[slot].worker.isReady || hasErrand(slot) { return nil }
          passed.append(job)
        } else {
          // Whether a worker's life is over is asked after each chunk.
          let most = job.spec.lifespan == JobSpec.Lifespan() && !isUnknown ? count : 1
          return queue.take(at: place, atMost: most)
        }
      }
      place += 1
    }
    return nil
  }

  /// The first of the chunks for this slot alone that it may be given now.
  @inline(never)
  private func nextPinned(to slot: Int) -> (place: Int, job: Job)? {
    let pinned = queue.chunks(pinnedTo: slot)
    for place in pinned.indices where mayBegin(slot, pinned[place]) {
      if let job = jobs[pinned[place].job] { return (place, job) }
    }
    return nil
  }

  /// Whether the slot is one of those that may run the job, and may be given a chunk of it now.
  func mayServe(_ slot: Int, _ job: Job, leaving holder: Int? = nil) -> Bool {
    slots[slot].serves(job.spec.level, apart: constants.limits.levelsAreApart)
      && workers[job.spec.worker]?.benched.contains(slot) != true
      && (job.spec.maximumSlots == nil || hasRight(slot, job, leaving: holder))
  }

  /// Whether nothing is known of how long the job's chunks take: then none waits behind anything, nor anything behind one of them,
  /// if there are several slots.
  private func isUnknown(_ job: Job) -> Bool { constants.limits.prefetch > 0 && slots.count > 1 && !job.isMeasured }

  private mutating func isReady(_ slot: Int, _ job: Job) -> Bool {
    let key = job.spec.worker
    if slots[slot].worker.prepared.contains(key) { return !isSpent(slot, key, job.spec.lifespan) }
    if slots[slot].worker.assigned.isEmpty, slots[slot].worker.isReady {
      _ = prepare(slot, key)
    } else if !slots[slot].worker.toPrepare.contains(key) {
      slots[slot].worker.toPrepare.append(key)
    }
    return false
  }

  private mutating func assign(_ chunk: consuming Chunk, to slot: Int) {
    guard let job = jobs[chunk.job] else { return }
    if !gathering.isEmpty { given.append((slot, job.id)) }
    if let limit = job.spec.itemTimeout { chunk.inspectAt = now &+ limit }
    job.outstanding += 1
    if !job.hasBegun {
      job.hasBegun = true
      if job.spec.level == 0 { waitingJobs -= 1 }
    }
    if slots[slot].worker.assigned.isEmpty {
      slots[slot].worker.busySince = now
      slots[slot].worker.isAtUnknown = isUnknown(job)
    }
    slots[slot].worker.assigned.append(copy chunk)
    slots[slot].worker.serve(chunk.worker, chunk.range.count)
    if isObserved {
      tell(
        .chunkGiven(
          slot: slot, generation: slots[slot].generation, chunk.job, chunk: chunk.id, items: chunk.range,
          size: chunk.grain, attempt: chunk.attempt))
    }
    actions.append(.run(slot: slot, generation: slots[slot].generation, chunk))
  }

  /// What waits behind a chunk that takes long is there for all again: it was handed ahead because those before it were short.
  ///
  /// For all, and not for those alone that have nothing to do: else it would wait while others run what comes after it. Done
  /// when time has passed, not at each step.
  mutating func recall() {
    guard slots.count > 1 else { return }
    for slot in slots.members(.laden) where slots[slot].worker.kill == nil {
      guard takesLong(slot) else {
        let due = slots[slot].worker.busySince &+ constants.stallTime
        robAt = min(robAt ?? due, due)
        continue
      }
      for chunk in slots[slot].worker.assigned.waiting where isOfUse(chunk, toOthersThan: slot) {
        if slots[slot].worker.begun.contains(chunk.id) || !asksBack(chunk.id, of: slot) { continue }
        take(chunk, from: slot, fromIndex: chunk.range.lowerBound)
      }
    }
  }

  /// A slot is done with something, and others may serve its job instead: what was of no use to them when it was recalled may be now.
  mutating func looksAgain() {
    guard robAt == nil, constants.limits.prefetch > 0, slots.count > 1, slots.hasAny(.laden) else { return }
    robAt = now &+ constants.stallTime
  }

  /// Whether what the slot is at is not as short as what is handed ahead has to be.
  @inline(__always)
  func takesLong(_ slot: Int) -> Bool {
    slots[slot].worker.assigned.count > 0 && now &- slots[slot].worker.busySince >= constants.stallTime
  }

  /// An idle slot gets a chunk that waits behind another slot's work, though that is short.
  private mutating func steal() {
    guard askedBack == 0, slots.hasAny(.idle) else { return }
    var best: (victim: Int, chunk: Chunk)?
    for slot in slots.members(.laden) where isWorthRobbing(slot) && slots[slot].worker.kill == nil {
      if let best, slots[slot].worker.assigned.count <= slots[best.victim].worker.assigned.count { continue }
      let begun = slots[slot].worker.begun
      let waiting = slots[slot].worker.assigned.waiting
      guard let chunk = waiting.last(where: { isOfUse($0, in: slot) && !begun.contains($0.id) }) else { continue }
      best = (slot, chunk)
    }
    guard let (victim, chunk) = best else { return }
    _ = asksBack(chunk.id, of: victim)
    // Half of all that waits there, as far as it is of one batch.
    let half = max(1, (slots[victim].worker.assigned.count - 1) / 2)
    // Of a job that only so many slots may serve, whoever gives has to give all.
    let count = jobs[chunk.job]?.spec.maximumSlots == nil ? min(chunk.count, half) : chunk.count
    take(chunk, from: victim, fromIndex: chunk.range.lowerBound + (chunk.count - count) * chunk.grain)
  }

  /// The slot is about to be asked for what it has not begun of the chunk; false if it has been asked and has not answered.
  mutating func asksBack(_ chunk: Int, of slot: Int) -> Bool {
    guard slots[slot].worker.revoking.insert(chunk).inserted else { return false }
    askedBack += 1
    return true
  }

  /// The slot has answered, or has no answer any more; false if it was not asked.
  mutating func hasAnswered(_ chunk: Int, of slot: Int) -> Bool {
    guard !slots[slot].worker.revoking.isEmpty, slots[slot].worker.revoking.remove(chunk) != nil else { return false }
    askedBack -= 1
    return true
  }

  private mutating func take(_ chunk: Chunk, from slot: Int, fromIndex start: Int) {
    actions.append(.revoke(slot: slot, generation: slots[slot].generation, chunk: chunk.id, from: start))
  }

  /// An idle slot gets a part of a chunk that has been under way for long: that its items are slow was not known when it was cut.
  private mutating func share(after time: UInt64) {
    guard slots.hasAny(.shareable), slots.contains(in: [.idle, .vacant], where: { isFree($0) }) else { return }
    for slot in slots.members(.shareable) {
      guard let chunk = slots[slot].worker.shareable(constants.limits), isAnyoneFree(for: chunk) else { continue }
      let due = max(slots[slot].worker.busySince, slots[slot].worker.unbegunAt) &+ time
      if due <= now {
        _ = asksBack(chunk.id, of: slot)
        actions.append(.share(slot: slot, generation: slots[slot].generation, chunk: chunk.id))
      } else {
        robAt = min(robAt ?? due, due)
      }
    }
  }

  /// Whether the slot, which has nothing to do, would do something for others, or get a worker for that.
  private func isFree(_ slot: Int) -> Bool {
    !slots[slot].worker.isSilent && (slots[slot].worker.isThere || !rests(slot))
  }

  func isAnyoneFree(for chunk: Chunk) -> Bool {
    slots.contains(in: [.idle, .vacant]) { isFree($0) && mayTake($0, chunk) }
  }

  /// Whether the slot is one of those that may run the chunk's job, and may be given it once the holder, if it is said, has given back
  /// all that it has not begun of that.
  func mayTake(_ slot: Int, _ chunk: Chunk, leaving holder: Int? = nil) -> Bool {
    guard let job = jobs[chunk.job] else { return false }
    return mayServe(slot, job, leaving: holder)
  }

  /// Whether there is an idle slot that would run the chunk, which waits in the holder.
  private func isOfUse(_ chunk: Chunk, in holder: Int) -> Bool {
    guard chunk.slot == nil, chunk.abandonAt == nil, let job = jobs[chunk.job] else { return false }
    let leaver = job.spec.maximumSlots != nil && isAllThereIs(chunk, in: holder) ? holder : nil
    return slots.contains(in: .idle) { mayServe($0, job, leaving: leaver) }
  }

  /// Whether another slot may run the chunk, now or when it is done with what it has.
  private func isOfUse(_ chunk: Chunk, toOthersThan slot: Int) -> Bool {
    guard chunk.slot == nil, chunk.abandonAt == nil, let job = jobs[chunk.job] else { return false }
    return slots.indices.contains { other in
      other != slot && slots[other].standing == .open && mayServe(other, job, leaving: slot)
    }
  }

  /// Whether what waits at the slot would take it longer than giving it to another.
  private func isWorthRobbing(_ slot: Int) -> Bool {
    let waiting = slots[slot].worker.assigned.count - 1
    guard waiting > 0 else { return false }
    // What was recalled, and was of no use to others then, may be now: a slot has left its job, which only so many may serve.
    return slots[slot].worker.chunkTime == 0 || takesLong(slot)
      || slots[slot].worker.chunkTime &* UInt64(waiting) >= constants.limits.prefetchTime / 4
  }

  // MARK: Lifespan

  /// Whether what the slot has may use its worker up. One that is idle takes a chunk in any case.
  private func isSpent(_ slot: Int, _ key: WorkerKey, _ lifespan: JobSpec.Lifespan) -> Bool {
    guard !slots[slot].worker.assigned.isEmpty else { return false }
    // How old and how large it is after a chunk, only the chunk's end says.
    if lifespan.age != nil || lifespan.memory != nil { return true }
    guard let limit = lifespan.items else { return false }
    return (slots[slot].worker.service(key)?.items ?? 0) >= limit
  }

  /// The chunk leaves the slot, which has not run what is left of it.
  mutating func giveBack(_ slot: Int, _ chunk: Chunk) {
    slots[slot].worker.serve(chunk.worker, -chunk.range.count)
  }

  mutating func checkLifespan(_ slot: Int, _ chunk: Chunk, _ memory: Int?) {
    guard let lifespan = jobs[chunk.job]?.spec.lifespan, !slots[slot].retires,
      let served = slots[slot].worker.service(chunk.worker)
    else { return }
    let isOver =
      lifespan.items.map { served.items >= $0 } ?? false
      || lifespan.age.map { now &- served.since >= $0 } ?? false
      || lifespan.memory.map { (memory ?? 0) >= $0 } ?? false
    if isOver { slots[slot].worker.isSpent = true }
  }
}
