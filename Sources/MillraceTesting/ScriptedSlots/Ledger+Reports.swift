import Millrace

extension Ledger {
  /// The dispatcher is about to be told this by a worker that is not written off.
  mutating func hears(_ report: Report, slot: Int) {
    switch report {
    case .completed, .itemFailed, .finished: slots[slot].heardAt = now
    default: break
    }
    hasToBeTold(report, slot)
    switch report {
    case .started: slots[slot].phase = .up
    case .startFailed:
      isTroubled(slot)
      leave(slot)
    // What a set-up says while it is being ended for its slowness is not how it ended.
    case .prepared, .prepareFailed:
      if !slots[slot].isKilled { setUpEnds(report, slot) }
    case .tornDown(let key):
      slots[slot].errand = nil
      slots[slot].prepared.removeAll { $0 == key }
    case .tornDownApart(_, let number): slots[slot].leavers[number] = nil
    case .completed(let chunk, let end, _): done(slot, chunk, upTo: end)
    case .itemFailed(let chunk, _, _):
      if let held = slots[slot].held.first(where: { $0.id == chunk }) {
        let item = held.range.lowerBound
        // What came of its maps is its own matter.
        let behaviour = jobs[held.job]!.plan.behaviour(item, attempt: held.attempt)
        if behaviour == .nests { jobs[held.job]!.items[item].deaths[held.attempt] = .threw }
      }
      failed(slot, chunk)
    case .finished(let chunk, let outputs, _, _):
      if outputs != nil { done(slot, chunk, upTo: .max) }
      give(back: chunk, from: slot)
    case .revoked(let chunk, let start):
      if let start { give(back: chunk, from: slot, items: start) } else { slots[slot].kept.insert(chunk) }
    case .shared(let chunk, .from(let start)): give(back: chunk, from: slot, items: start)
    case .shared(let chunk, .nothing): slots[slot].atLast.insert(chunk)
    case .shared(_, .notYet): break
    case .inspected(let chunk, let found):
      if case .item(let index, _) = found { inspected = (slot, chunk, index) }
      if case .behind = found { slots[slot].behind.insert(chunk) }
    case .died(let running, let cause, let suspects): hearsOfDeath(slot, Set(running.keys), cause, suspects: suspects)
    }
  }

  private mutating func setUpEnds(_ report: Report, _ slot: Int) {
    slots[slot].errand = nil
    if case .prepared(let key) = report {
      slots[slot].prepared.append(key)
      slots[slot].served[key] = 0
      slots[slot].setUpFailures[key] = 0
      slots[slot].givenUp.remove(key)
      slots[slot].startTroubles = 0
    } else if case .prepareFailed(let key) = report, slots[slot].unwantedSince == nil {
      setUpFails(slot, key)
    }
    slots[slot].unwantedSince = nil
  }

  private mutating func setUpFails(_ slot: Int, _ key: WorkerKey) {
    workers[key]?.setUpFailures += 1
    slots[slot].setUpFailures[key, default: 0] += 1
    failedLast = (slot, key)
  }

  /// The slot could get no worker, or lost it before it had done anything.
  private mutating func isTroubled(_ slot: Int) {
    startTroubles += 1
    slots[slot].startTroubles += 1
    slots[slot].troubledAt = now
  }

  private mutating func hearsOfDeath(
    _ slot: Int, _ running: Set<Int>, _ cause: ItemFailure.Cause?, suspects: Int = 1
  ) {
    let isOurs = cause.isCancelled && !slots[slot].isKilled
    if case .preparing(let key) = slots[slot].errand, slots[slot].unwantedSince == nil, !cause.isFromOutside, !isOurs,
      suspects == 1 || slots[slot].isKilled, !slots[slot].isKilledForLeaver
    {
      setUpFails(slot, key)
    }
    if !isOurs, slots[slot].phase == .starting || running.isEmpty { isTroubled(slot) }
    for held in slots[slot].held where running.contains(held.id) && !held.range.isEmpty {
      let item = held.range.lowerBound
      let behaviour = jobs[held.job]!.plan.behaviour(item, attempt: held.attempt)
      let isTimeout = [.overruns, .stalls, .dawdles, .nests].contains(behaviour)
      if !slots[slot].isKilled, suspects > 1, !held.isSuspect {
        jobs[held.job]!.items[item].isSuspect = true
        hasSuspects = true
      } else if !slots[slot].isKilled {
        jobs[held.job]!.items[item].deaths[held.attempt] = cause.flatMap(Self.verdict)
        failed(slot, held.id)
      } else if isTimeout, let condemned = slots[slot].condemned, condemned == (held.id, item) {
        jobs[held.job]!.items[item].deaths[held.attempt] = .timedOut
        failed(slot, held.id)
      }
    }
    leave(slot)
  }

  /// A worker that was killed is not waited for any more. The item that it was killed for has had its last attempt.
  mutating func givesUp(_ slot: Int) throws {
    try check(slots[slot].isKilled, "slot \(slot) is given up, but nobody has killed it")
    let time = now - max(slots[slot].killedAt, revivedAt)
    try check(time >= limits.killTime, "slot \(slot) is given up after \(time / 1_000) µs")
    if let (chunk, item) = slots[slot].condemned, let held = slots[slot].held.first(where: { $0.id == chunk }),
      held.range.lowerBound == item
    {
      jobs[held.job]!.items[item].last = held.attempt
      hearsOfDeath(slot, [chunk], .cancelled)
    } else {
      hearsOfDeath(slot, [], .cancelled)
    }
  }

  private mutating func leave(_ slot: Int) {
    for held in slots[slot].held { put(back: held) }
    var next = Slot(generation: slots[slot].generation)
    next.setUpFailures = slots[slot].setUpFailures
    next.givenUp = slots[slot].givenUp
    next.startTroubles = slots[slot].startTroubles
    next.troubledAt = slots[slot].troubledAt
    slots[slot] = next
  }

  /// The slot does not have the chunk any more, of a batch the items from `start` on.
  private mutating func give(back chunk: Int, from slot: Int, items start: Int = 0) {
    guard let index = slots[slot].held.firstIndex(where: { $0.id == chunk }) else { return }
    var held = slots[slot].held[index]
    if start > held.range.lowerBound {
      slots[slot].held[index].range = held.range.lowerBound..<start
      held.range = start..<held.range.upperBound
    } else {
      slots[slot].held.remove(at: index)
    }
    if let worker = jobs[held.job]?.worker { slots[slot].served[worker]? -= held.range.count }
    put(back: held)
  }

  private mutating func put(back held: Held) {
    guard jobs[held.job] != nil else { return }
    for item in held.range {
      jobs[held.job]!.items[item].state = jobs[held.job]!.items[item].failures == 0 ? .waiting : .failed
    }
  }

  private mutating func done(_ slot: Int, _ chunk: Int, upTo end: Int) {
    guard let place = slots[slot].held.firstIndex(where: { $0.id == chunk }) else { return }
    let held = slots[slot].held[place]
    let end = min(end, held.range.upperBound)
    for item in held.range.lowerBound..<end { jobs[held.job]!.items[item].state = .done(attempt: held.attempt) }
    slots[slot].held[place].range = end..<held.range.upperBound
  }

  private mutating func failed(_ slot: Int, _ chunk: Int) {
    guard let place = slots[slot].held.firstIndex(where: { $0.id == chunk }) else { return }
    let held = slots[slot].held[place]
    let item = held.range.lowerBound
    jobs[held.job]!.items[item].state = .failed
    jobs[held.job]!.items[item].failures = held.attempt
    jobs[held.job]!.items[item].isSuspect = false
    jobs[held.job]!.items[item].lastFailure = now
    slots[slot].held[place].range = item + 1..<held.range.upperBound
  }
}
