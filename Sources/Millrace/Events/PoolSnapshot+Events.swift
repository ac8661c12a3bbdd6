extension PoolSnapshot {
  /// The event has happened since: this is the pool after it.
  ///
  /// But for ``Slot/since``, which events do not tell.
  package mutating func apply(_ event: DispatchEvent, at time: UInt64) {
    self.time = time
    switch event {
    case .poolResized(let width): self.width = width
    case .poolClosing(let how): closing = how
    case .poolStopped:
      hasStopped = true
      members = [:]
    case .memberJoined(let member): members[member.name] = member
    case .memberLeft(let member, _): members[member.name] = nil
    case .resultsLate(_, let count): lateResults += count
    case .slotOpened(let slot, let level):
      while slots.count <= slot { slots.append(Slot(state: .empty, level: level, generation: 0)) }
      if slots[slot].state == .closed { slots[slot].state = .empty }
      slots[slot].level = level
    case .slotClosed(let slot): leave(slot, .closed)
    case .workerStarting(let slot, let generation, _):
      slots[slot].state = .starting
      slots[slot].generation = generation
    case .workerStarted(let slot, _), .setUpEnded(let slot, _, _), .tearDownEnded(let slot, _, _):
      // What a worker says that is being ended does not change that.
      if slots[slot].state != .killed { slots[slot].state = .idle }
    case .workerNotStarted(let slot, _, _): leave(slot, .empty)
    case .workerStopping(let slot, _, _): slots[slot].state = .ending
    case .workerKilled(let slot, _, _): slots[slot].state = .killed
    case .workerEnded(let slot, _, _): leave(slot, .empty)
    case .setUpBegan(let slot, _, let key): slots[slot].state = .settingUp(key)
    case .tearDownBegan(let slot, _, let key): slots[slot].state = .tearingDown(key)
    case .setUpFailed(let slot, let generation, let key, _, _, _):
      // It may be the one of a worker that is gone.
      if slots[slot].state == .settingUp(key), slots[slot].generation == generation { slots[slot].state = .idle }
    case .slotBenched, .slotRests, .itemSetApart, .missed: break
    case .jobBegan(let id, let worker, let level, let total): jobs[id] = Job(worker: worker, level: level, total: total)
    case .jobRead(let id, let count): jobs[id]?.counts.read += count
    case .jobReadAll(let id):
      guard let read = jobs[id]?.counts.read else { return }
      jobs[id]!.hasReadAll = true
      jobs[id]!.total = read
    case .jobRaised(let id, let level): jobs[id]?.level = level
    case .jobEnded(let id, _, _): jobs[id] = nil
    case .chunkGiven(let slot, _, let id, let chunk, let items, _, let attempt):
      slots[slot].work.append(Work(chunk: chunk, job: id, items: items, attempt: attempt))
      jobs[id]?.running += items.count
      if slots[slot].state == .idle { slots[slot].state = .working }
    case .chunkReturned(let slot, _, let chunk, let items):
      change(slot, chunk) { $0 = $0.lowerBound..<max($0.lowerBound, items.lowerBound) }
    case .chunkFinished(let slot, _, let chunk, _, _, _, _, _):
      change(slot, chunk) { $0 = $0.lowerBound..<$0.lowerBound }
    case .itemsDone(let id, let items, let slot, _):
      jobs[id]?.counts.done += items.count
      pass(items, of: id, slot)
    case .itemFailed(let id, let failure):
      jobs[id]?.counts.failed += 1
      pass(failure.index..<failure.index + 1, of: id, failure.slot)
    case .itemRetried(let id, let index, let slot, _, _, _):
      jobs[id]?.counts.retried += 1
      pass(index..<index + 1, of: id, slot)
    }
  }

  /// What the slot had comes back.
  private mutating func leave(_ slot: Int, _ state: Slot.State) {
    for work in slots[slot].work { jobs[work.job]?.running -= work.items.count }
    slots[slot].work = []
    slots[slot].state = state
  }

  /// The items are done with, if the slot had them.
  private mutating func pass(_ items: Range<Int>, of id: JobID, _ slot: Int) {
    guard slots.indices.contains(slot) else { return }
    let place = slots[slot].work.firstIndex {
      $0.job == id && $0.items.lowerBound == items.lowerBound && !$0.items.isEmpty
    }
    guard let place else { return }
    change(slot, slots[slot].work[place].chunk, isLeft: true) { $0 = items.upperBound..<$0.upperBound }
  }

  private mutating func change(
    _ slot: Int, _ chunk: Int, isLeft: Bool = false, _ body: (inout Range<Int>) -> Void
  ) {
    guard let place = slots[slot].work.firstIndex(where: { $0.chunk == chunk }) else { return }
    let before = slots[slot].work[place].items.count
    body(&slots[slot].work[place].items)
    let after = slots[slot].work[place].items.count
    jobs[slots[slot].work[place].job]?.running += after - before
    if after == 0, !isLeft { slots[slot].work.remove(at: place) }
    if slots[slot].work.isEmpty, slots[slot].state == .working { slots[slot].state = .idle }
  }
}
