import Millrace

extension Ledger {
  // MARK: What the dispatcher wants done in slots

  mutating func start(_ slot: Int, _ generation: Int) throws {
    while slots.count <= slot { slots.append(Slot()) }
    let level = levels[slot]
    try check(level != nil && (level == 0) == (slot < width), "slot \(slot) is started in a pool of \(width)")
    try check(!isStopped, "slot \(slot) is started after the end")
    try check(slots[slot].phase == .down, "slot \(slot) is started twice")
    try check(generation > slots[slot].generation, "slot \(slot): generation \(generation) is not new")
    try wasTold(.start(slot, replaces: slots[slot].generation > 0))
    try check(
      jobs.values.contains { $0.end == nil && serves(slot, $0.plan.level) }, "slot \(slot) is started for nothing")
    slots[slot].phase = .starting
    slots[slot].generation = generation
    slots[slot].since = now
  }

  private func checkIdle(_ slot: Int, _ generation: Int, _ what: String) throws {
    try checkLive(slot, generation, what)
    try check(slots[slot].phase == .up, "slot \(slot): \(what), but it is \(slots[slot].phase)")
    try check(slots[slot].errand == nil, "slot \(slot): \(what), but it is \(slots[slot].errand!)")
    try check(!slots[slot].isKilled, "slot \(slot): \(what), but it is being killed")
  }

  private func checkLive(_ slot: Int, _ generation: Int, _ what: String) throws {
    try check(isLive(slot, generation), "slot \(slot): \(what) for generation \(generation), which is dead")
  }

  mutating func prepare(_ slot: Int, _ generation: Int, _ key: WorkerKey) throws {
    try checkIdle(slot, generation, "set-up")
    try check(slots[slot].held.isEmpty, "slot \(slot): set-up among chunks")
    try check(!slots[slot].prepared.contains(key), "slot \(slot): set up twice")
    try check(workers[key]?.isClosed == false, "slot \(slot): set-up of a closed worker")
    try check(!slots[slot].givenUp.contains(key), "slot \(slot): set-up of what was left to other slots")
    try wasTold(.setUp(slot, key))
    slots[slot].errand = .preparing(key)
    slots[slot].unwantedSince = nil
    slots[slot].since = now
  }

  mutating func cancelSetUp(_ slot: Int, _ generation: Int, _ key: WorkerKey) throws {
    try check(slots[slot].generation == generation, "slot \(slot): set-up of another generation is cancelled")
    try check(slots[slot].errand == .preparing(key), "slot \(slot): a set-up is cancelled that is not under way")
    try check(workers[key].map { $0.users == 0 } ?? true, "slot \(slot): a set-up is cancelled that somebody wants")
    slots[slot].unwantedSince = slots[slot].unwantedSince ?? now
  }

  mutating func tearDown(_ slot: Int, _ generation: Int, _ key: WorkerKey) throws {
    try checkIdle(slot, generation, "tear-down")
    try check(slots[slot].held.isEmpty, "slot \(slot): tear-down among chunks")
    try check(slots[slot].prepared.contains(key), "slot \(slot): tear-down of what is not there")
    try wasTold(.tearDown(slot, key))
    slots[slot].errand = .tearingDown(key)
    slots[slot].since = now
  }

  /// Only somebody who waits for it may have it torn down beside what the slot is at, and that is something else.
  mutating func tearDownApart(_ slot: Int, _ generation: Int, _ key: WorkerKey, _ number: Int) throws {
    try checkLive(slot, generation, "tear-down apart")
    try check(slots[slot].prepared.contains(key), "slot \(slot): tear-down apart of what is not there")
    try check(slots[slot].leavers[number] == nil, "slot \(slot): two are torn down apart as number \(number)")
    try check(
      workers[key].map { $0.isClosing && $0.isAwaited && $0.users == 0 } ?? false,
      "slot \(slot): tear-down apart of what nobody waits for")
    let isAtIt = slots[slot].held.contains { jobs[$0.job]!.worker == key }
    try check(!isAtIt, "slot \(slot): tear-down apart of what is at a chunk")
    try check(
      !slots[slot].held.isEmpty || slots[slot].errand != nil, "slot \(slot): tear-down apart, though it is idle")
    slots[slot].prepared.removeAll { $0 == key }
    slots[slot].served[key] = nil
    slots[slot].leavers[number] = (key, now)
  }

  mutating func stop(_ slot: Int, _ generation: Int) throws {
    try check(slots[slot].leavers.isEmpty, "slot \(slot): stop before what is torn down apart")
    try checkIdle(slot, generation, "stop")
    try check(slots[slot].held.isEmpty, "slot \(slot): stop among chunks")
    try check(slots[slot].prepared.isEmpty, "slot \(slot): stop before tear-down")
    try wasTold(.stop(slot))
    slots[slot].phase = .ending
    slots[slot].since = now
  }

  mutating func kill(_ slot: Int, _ generation: Int) throws {
    try checkLive(slot, generation, "kill")
    try check(!slots[slot].isKilled, "slot \(slot): killed twice")
    try wasTold(.kill(slot))
    slots[slot].isKilled = true
    slots[slot].killedAt = now
    if !isTerminated, let limit = limit(slot) {
      let time = now - max(slots[slot].since, revivedAt)
      let unwanted = slots[slot].unwantedSince.map { now - max($0, revivedAt) } ?? 0
      let hasLateLeaver = slots[slot].leavers.values.contains { worker, since in
        now - max(since, revivedAt) >= workers[worker]?.plan.tearDownTimeout ?? limits.leavingTime
      }
      slots[slot].isKilledForLeaver = hasLateLeaver
      try check(
        time >= limit || unwanted >= limits.cancellationGrace || hasLateLeaver,
        "slot \(slot): killed after \(time / 1_000) µs of \(limit / 1_000), unwanted for \(unwanted / 1_000)")
    }
    if let inspected, inspected.slot == slot { slots[slot].condemned = (inspected.chunk, inspected.index) }
  }

  /// How long what the slot does beside its chunks may last.
  private func limit(_ slot: Int) -> UInt64? {
    switch slots[slot].errand {
    case .preparing(let key): workers[key]?.plan.setUpTimeout ?? limits.leavingTime
    case .tearingDown(let key): workers[key]?.plan.tearDownTimeout ?? limits.leavingTime
    case nil:
      switch slots[slot].phase {
      case .starting: limits.startTime
      case .ending: limits.endingTime
      case .up, .down: nil
      }
    }
  }

  mutating func run(_ slot: Int, _ generation: Int, _ chunk: Chunk) throws {
    try checkIdle(slot, generation, "chunk \(chunk.id)")
    guard let job = jobs[chunk.job] else { throw BrokenPromise(description: "chunk \(chunk.id) of no job") }
    try check(job.end == nil, "\(chunk.job): chunk \(chunk.id) is sent after the end")
    try check(slots[slot].prepared.contains(chunk.worker), "slot \(slot): chunk \(chunk.id) before set-up")
    try check(chunk.worker == job.worker, "chunk \(chunk.id) has another worker than its job")
    let unneeded = slots[slot].prepared.first { workers[$0].map { $0.isClosing && $0.users == 0 } ?? false }
    try check(unneeded == nil, "slot \(slot): chunk \(chunk.id), though \(unneeded!) is to be torn down there")
    let depth = prefetch == 0 ? 1 : 2 + prefetch
    let count = slots[slot].held.reduce(chunk.count) { $0 + $1.count }
    try check(count <= depth, "slot \(slot): \(count) chunks at once")
    try check(
      chunk.count == 1 || job.plan.lifespan == JobSpec.Lifespan(), "chunk \(chunk.id) is a batch in spite of lifespans")
    try check(!chunk.range.isEmpty, "chunk \(chunk.id) is empty")
    try wasTold(.run(slot, chunk: chunk.id, chunk.range))
    try check(chunk.notBefore <= now, "chunk \(chunk.id) is sent before its back-off is over")
    for index in chunk.range {
      let item = job.items[index]
      switch item.state {
      case .waiting, .failed: break
      default:
        throw BrokenPromise(description: "\(chunk.job): item \(index) is sent to slot \(slot), but is \(item.state)")
      }
      try check(
        chunk.attempt == item.failures + 1,
        "\(chunk.job): item \(index) is sent for attempt \(chunk.attempt) after \(item.failures) failures")
      try check(
        !isTold(chunk.job) || item.retriesTold == item.failures && !item.isTold,
        "\(chunk.job): item \(index) is sent for attempt \(chunk.attempt), and \(item.retriesTold) retries were told")
      let isApart = chunk.isSuspect && chunk.range.count == 1 && chunk.slot != nil
      try check(
        isApart || !item.isSuspect && !chunk.isSuspect, "\(chunk.job): item \(index), a suspect, is not run by itself")
      if item.failures > 0, job.plan.backoff.initial > .zero {
        let pause = job.plan.backoff.initial.nanoseconds / 2
        try check(now >= item.lastFailure + pause, "\(chunk.job): item \(index) is tried again without back-off")
      }
      jobs[chunk.job]!.items[index].state = .at(slot: slot)
    }
    // Suspects are tried again in their slots and nowhere else, whenever those come to it.
    if !job.plan.roundRobin, !hasSuspects {
      // Whoever waits for what comes before waits in vain, if those that could do it wait for each other.
      let passed = (0..<chunk.range.lowerBound).first { if case .waiting = job.items[$0].state { true } else { false } }
      try check(
        passed == nil, "\(chunk.job): item \(chunk.range.lowerBound) is sent before \(passed ?? 0), which waits too")
    }
    if let limit = job.plan.lifespan.items, !slots[slot].held.isEmpty, let served = slots[slot].served[chunk.worker] {
      try check(
        served < limit, "slot \(slot): chunk \(chunk.id) is queued behind \(served) items of a lifespan of \(limit)")
    }
    slots[slot].served[chunk.worker]? += chunk.range.count
    if slots[slot].held.isEmpty { slots[slot].heardAt = now }
    // What was found out about it when it was here before is over.
    slots[slot].kept.remove(chunk.id)
    slots[slot].atLast.remove(chunk.id)
    slots[slot].behind.remove(chunk.id)
    if job.plan.roundRobin { try check(chunk.slot != nil, "chunk \(chunk.id) has lost its turn") }
    jobs[chunk.job]!.hasBegun = true
    slots[slot].held.append(
      Held(
        id: chunk.id, job: chunk.job, range: chunk.range, grain: chunk.grain, attempt: chunk.attempt,
        isSuspect: chunk.isSuspect))
    try checkRight(slot, chunk)
    given += 1
    slots[slot].lastGiven = given
    try checkLevel(slot, job.plan.level)
  }

  func revoke(_ slot: Int, _ generation: Int, _ chunk: Int) throws {
    try checkHeld(slot, generation, chunk, "revoke")
    let isOver = slots[slot].held.contains { $0.id == chunk && jobs[$0.job]?.end != nil }
    // It was begun. Who asks for it all the same may ask for ever.
    try check(isOver || !slots[slot].kept.contains(chunk), "slot \(slot): chunk \(chunk) is asked back once more")
  }

  func share(_ slot: Int, _ generation: Int, _ chunk: Int) throws {
    try checkHeld(slot, generation, chunk, "share")
    try check(!slots[slot].atLast.contains(chunk), "slot \(slot): a part of chunk \(chunk) is asked for once more")
  }

  func inspect(_ slot: Int, _ generation: Int, _ chunk: Int) throws {
    try checkHeld(slot, generation, chunk, "inspect")
    // Else it is looked at again and again, for as long as what is before it takes.
    try check(
      !slots[slot].behind.contains(chunk) || slots[slot].held.first?.id == chunk,
      "slot \(slot): chunk \(chunk) is looked at though it is behind another")
  }

  /// A worker whose set-up fails again and again in a slot has to be given up there.
  mutating func checkSetUps() throws {
    guard let (slot, key) = failedLast, let worker = workers[key] else { return }
    failedLast = nil
    let failures = slots[slot].setUpFailures[key, default: 0]
    try check(
      worker.users == 0 || isTerminated || failures < limits.maximumSetUps || slots[slot].givenUp.contains(key),
      "\(key): \(failures) set-ups have failed in a row in slot \(slot), and nothing is made of it")
  }

  /// Each slot may try again: there is a new job, or other slots.
  mutating func forgetSetUps(_ key: WorkerKey) {
    for slot in slots.indices {
      slots[slot].setUpFailures[key] = 0
      slots[slot].givenUp.remove(key)
    }
  }

  /// Whether the slot has a worker that does nothing, or none, and nobody starts one.
  func isIdle(_ slot: Int) -> Bool {
    guard slot < slots.count else { return true }
    switch slots[slot].phase {
    // One that could not be started may rest.
    case .down: return slots[slot].troubledAt.map { now - $0 > limits.starts.period } ?? true
    case .up:
      // One that retires stays until what was taken out of it is torn down.
      if slots[slot].prepared.isEmpty, !slots[slot].leavers.isEmpty { return false }
      return slots[slot].held.isEmpty && slots[slot].errand == nil && !slots[slot].isKilled
    case .starting, .ending: return false
    }
  }

  /// Whether chunks wait in some slot that another may run.
  var hasChunksToShare: Bool {
    slots.contains { slot in
      slot.phase == .up && !slot.isKilled
        && slot.held.indices.contains { index in
          let held = slot.held[index]
          let job = jobs[held.job]
          let isAlone = slot.held.count == 1 && limits.shareTime != nil && held.range.count > 1
          let isKept = isAlone ? slot.atLast.contains(held.id) : slot.kept.contains(held.id)
          return (index > 0 && prefetch > 0 || held.count > 1 || isAlone) && job?.end == nil
            && job?.plan.roundRobin == false && !isKept && mayHave(nil, held.job)
        }
    }
  }

  /// Since when chunks that others may run wait in some slot behind one of which nothing is heard.
  var waitsSince: UInt64? {
    if hasSuspects { return nil }
    let times = slots.indices.compactMap { slot -> UInt64? in
      guard slots[slot].phase == .up, !slots[slot].isKilled else { return nil }
      let waiting = slots[slot].held.dropFirst().filter { held in
        let job = jobs[held.job]
        // Who runs the job itself may be one of the few that may.
        let isRunning = slots[slot].held.first?.job == held.job
        return job?.end == nil && job?.plan.roundRobin == false && !slots[slot].kept.contains(held.id)
          && mayHave(nil, held.job, leaving: isRunning ? nil : slot)
      }
      let since = waiting.map { jobs[$0.job]?.plan.maximumSlots == nil ? 0 : rightFreedAt }.min()
      return since.map { max($0, slots[slot].heardAt, revivedAt, resizedAt) }
    }
    return times.min()
  }

  func checkHeld(_ slot: Int, _ generation: Int, _ chunk: Int, _ what: String) throws {
    try checkLive(slot, generation, what)
    try check(slots[slot].held.contains { $0.id == chunk }, "slot \(slot): \(what) of chunk \(chunk), which it has not")
  }
}
