extension Dispatcher {
  // MARK: What the slots report of their chunks

  /// The items of the chunk before `end` that had no outcome yet have outputs.
  package mutating func completed(
    slot: Int, generation: Int, chunk id: Int, upTo end: Int, outputs: any AnyObject & Sendable, now: UInt64
  ) {
    self.now = now
    guard isCurrent(slot, generation) else { return }
    slots[slot].worker.isSilent = false
    advance(slot, id) { $0.complete(&$1, upTo: end, slot, outputs) }
    finish()
  }

  private mutating func complete(
    _ chunk: inout Chunk, upTo end: Int, _ slot: Int, _ outputs: any AnyObject & Sendable
  ) {
    guard chunk.range.lowerBound < end, end <= chunk.range.upperBound else { return }
    let segment = Segment(
      range: chunk.range.lowerBound..<end, slot: slot, attempt: chunk.attempt, content: .outputs(outputs),
      cell: chunk.cell)
    chunk.range = end..<chunk.range.upperBound
    slots[slot].worker.busySince = now
    settle(chunk.job, segment)
  }

  /// The first item of the chunk without an outcome failed; the worker lives and goes on.
  package mutating func itemFailed(
    slot: Int, generation: Int, chunk id: Int, _ cause: ItemFailure.Cause, retryable: Bool,
    standardError: String = "", now: UInt64
  ) {
    self.now = now
    guard isCurrent(slot, generation) else { return }
    slots[slot].worker.isSilent = false
    advance(slot, id) { dispatcher, chunk in
      guard !chunk.range.isEmpty else { return }
      dispatcher.failItem(&chunk, slot, cause, retryable, standardError)
    }
    finish()
  }

  /// The slot is done with the chunk; `outputs`, if given, are those of all its items that had no outcome yet.
  ///
  /// `elapsed` is what its items took; `memory` the worker's resident bytes, if known.
  package mutating func finished(
    slot: Int, generation: Int, chunk id: Int, outputs: (any AnyObject & Sendable)? = nil, items: Int,
    elapsed: UInt64, bytes: ChunkBytes? = nil, memory: Int? = nil, now: UInt64
  ) {
    self.now = now
    guard isCurrent(slot, generation) else { return }
    // The chunk leaves the slot before its outcomes are settled: if they end the job, there is nothing left to cancel.
    guard var chunk = takeAssigned(slot, id) else { return finish() }
    if isObserved {
      tell(
        .chunkFinished(
          slot: slot, chunk.job, chunk: id, items: items, elapsed: elapsed, bytes: bytes, memory: memory,
          inputs: chunk.cell))
    }
    slots[slot].worker.hasWorked = true
    slots[slot].worker.isSilent = items == 0 && slots[slot].worker.isSilent
    let turnaround = now &- slots[slot].worker.busySince
    slots[slot].worker.busySince = now
    looksAgain()
    _ = hasAnswered(id, of: slot)
    let job = jobs[chunk.job]
    job?.outstanding -= 1
    job?.worked &+= elapsed
    if let outputs { complete(&chunk, upTo: chunk.range.upperBound, slot, outputs) }
    giveBack(slot, chunk)
    if items > 0 {
      let count = (items + chunk.grain - 1) / chunk.grain
      let time = elapsed / UInt64(count)
      slots[slot].worker.chunkTime =
        slots[slot].worker.chunkTime == 0 ? time : (slots[slot].worker.chunkTime &* 3 &+ time) / 4
      job?.spec.chunking.measured(
        items: (items + count - 1) / count, nanoseconds: time,
        overhead: constants.limits.weighsSending ? (max(turnaround, elapsed) - elapsed) / UInt64(count) : nil,
        bytes: bytes.map { $0.sent / count })
      if let job, !job.isMeasured {
        job.isMeasured = true
        workers[chunk.worker]?.isMeasured = true
      }
      checkLifespan(slot, chunk, memory)
    }
    if !chunk.range.isEmpty, let job, !job.ended {
      // An answer about it that is still on its way is about what it was.
      chunk.id = nextChunk + 1
      nextChunk += chunk.count
      putBack(chunk)
    }
    releaseIfDone(chunk.job)
    finish()
  }

  /// The answer to `.revoke`: from which item on the slot gave the chunk back unbegun; nil if it gave nothing back.
  package mutating func revoked(slot: Int, generation: Int, chunk id: Int, from start: Int?, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation) else { return }
    // It may have come to its end before its driver could say this.
    guard hasAnswered(id, of: slot) else { return finish() }
    // It may have been asked for before it was known that what is before it takes long: then the rest has to come back too.
    if limits.prefetch > 0, slots[slot].worker.assigned.count > 1, takesLong(slot) { robAt = now }
    guard let start else {
      if slots[slot].worker.assigned[id] != nil { slots[slot].worker.begun.insert(id) }
      return finish()
    }
    takeBack(slot, id, from: start)
    finish()
  }

  /// The answer to `.share`.
  package mutating func shared(slot: Int, generation: Int, chunk id: Int, _ found: Sharing, now: UInt64) {
    self.now = now
    guard isCurrent(slot, generation) else { return }
    guard hasAnswered(id, of: slot) else { return finish() }
    switch found {
    case .from(let start): takeBack(slot, id, from: start, inParts: true)
    case .nothing: slots[slot].worker.assigned.change(id) { $0.isAtItsLast = true }
    case .notYet: if let chunk = slots[slot].worker.assigned[id] { waits(slot, chunk) }
    }
    finish()
  }

  /// The slot has not begun the chunk yet. It is asked again, after the same time; but not for ever, as it may have been
  /// stopped by somebody: then others get all of it, if there is one that is not known to be silent too. Else it stays, for whoever has
  /// a limit to end it: passed round, it would never be at one of them for long enough.
  private mutating func waits(_ slot: Int, _ chunk: Chunk) {
    slots[slot].worker.unbegunAt = now
    slots[slot].worker.assigned.change(chunk.id) { $0.waits += 1 }
    guard chunk.waits >= 8, !slots[slot].worker.begun.contains(chunk.id), isAnyoneFree(for: chunk) else { return }
    _ = asksBack(chunk.id, of: slot)
    actions.append(
      .revoke(slot: slot, generation: slots[slot].generation, chunk: chunk.id, from: chunk.range.lowerBound))
  }

  /// `isInParts`: what comes back is a part of a chunk, whose number stays with what does not.
  private mutating func takeBack(_ slot: Int, _ id: Int, from start: Int, inParts isInParts: Bool = false) {
    var back: Chunk?
    if let chunk = slots[slot].worker.assigned[id], chunk.range.lowerBound < start {
      guard start < chunk.range.upperBound else { return }
      slots[slot].worker.assigned.change(id) { back = $0.cut(at: start) }
      if isObserved { tell(.chunkReturned(slot: slot, chunk.job, chunk: id, items: start..<chunk.range.upperBound)) }
      if isInParts, let rest = back {
        giveBack(slot, rest)
        return putBackInParts(rest)
      }
    } else if let chunk = takeAssigned(slot, id) {
      if isObserved { tell(.chunkReturned(slot: slot, chunk.job, chunk: id, items: chunk.range)) }
      jobs[chunk.job]?.outstanding -= 1
      if isInParts, let job = jobs[chunk.job], !job.ended {
        // All but what is left has been heard of: the slot is at its end, which it will tell by this number. Under it nobody else may be.
        giveBack(slot, chunk)
        return putBackInParts(chunk)
      }
      back = chunk
    }
    if let back {
      giveBack(slot, back)
      if let job = jobs[back.job], !job.ended { putBack(back) } else { releaseIfDone(back.job) }
      // It was not begun in all that time: it is not for the same slot again, though that has nothing to do now.
      if back.waits > 0 {
        slots[slot].worker.isSilent = true
        for other in slots.indices where !slots[other].worker.isSilent { fill(other, upTo: 1) }
      }
    }
  }

  /// Changes a chunk that the slot has. It need not be the first: a slot that has several processes, one for each worker that
  /// it was forked for, runs chunks of all of them.
  private mutating func advance(_ slot: Int, _ id: Int, _ body: (inout Dispatcher, inout Chunk) -> Void) {
    guard var chunk = slots[slot].worker.assigned[id] else { return }
    body(&self, &chunk)
    // `body` may have ended the job, which marks its chunks: keep those marks.
    slots[slot].worker.assigned.change(id) { current in current.range = chunk.range }
  }

  private mutating func takeAssigned(_ slot: Int, _ id: Int) -> Chunk? {
    if !slots[slot].worker.begun.isEmpty { slots[slot].worker.begun.remove(id) }
    let chunk = slots[slot].worker.assigned.take(id)
    if slots[slot].worker.assigned.isEmpty { slots[slot].worker.isAtUnknown = false }
    return chunk
  }

  // MARK: Failing and trying again

  /// Decides what becomes of the chunk's first item, which failed; the chunk goes on behind it.
  mutating func failItem(
    _ chunk: inout Chunk, _ slot: Int, _ cause: ItemFailure.Cause, _ retryable: Bool, _ standardError: String
  ) {
    let index = chunk.range.lowerBound
    chunk.range = index + 1..<chunk.range.upperBound
    guard let job = jobs[chunk.job], !job.ended else { return }
    var crashes = chunk.crashes
    if case .crashed = cause { crashes += 1 }
    if case .exited = cause { crashes += 1 }
    let isQuarantined = crashes > chunk.crashes && crashes >= job.spec.crashLimit && job.spec.retries > 0
    if retryable, chunk.attempt <= job.spec.retries, !isQuarantined {
      nextChunk += 1
      var retry = Chunk(
        id: nextChunk, job: chunk.job, worker: chunk.worker, seed: chunk.seed, range: index..<index + 1, grain: 1,
        attempt: chunk.attempt + 1, crashes: crashes, cell: chunk.cell)
      retry.slot = chunk.slot
      var random = job.spec.seed ^ UInt64(bitPattern: Int64(index)) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(chunk.attempt)
      let delay = job.spec.backoff.nanoseconds(beforeAttempt: retry.attempt, random: splitMix64(&random))
      job.retried += 1
      if isObserved {
        tell(.itemRetried(chunk.job, index: index, slot: slot, attempt: chunk.attempt, cause, delay: delay))
      }
      if delay > 0 {
        retry.notBefore = now &+ delay
        delayed.append(retry)
        job.outstanding += 1
      } else {
        putBack(retry)
      }
      return
    }
    var failure = ItemFailure(
      index: index, slot: slot, attempt: chunk.attempt,
      cause: isQuarantined ? .quarantined(crashes: crashes, last: cause) : cause, standardError: standardError)
    failure.input = (chunk.cell as? InputStore)?.item(at: index)
    settle(
      chunk.job,
      Segment(
        range: index..<index + 1, slot: slot, attempt: chunk.attempt, content: .failure(failure), cell: chunk.cell))
  }

  /// It is not known whether the chunk's first item has ended its worker, or one beside it: this is no attempt. It is run again
  /// by itself, in the slot, which has a process of its own for that; who is to blame does it again there.
  mutating func setApart(_ chunk: inout Chunk, _ slot: Int) {
    let index = chunk.range.lowerBound
    chunk.range = index + 1..<chunk.range.upperBound
    if isObserved { tell(.itemSetApart(chunk.job, index: index, slot: slot, attempt: chunk.attempt)) }
    nextChunk += 1
    var again = Chunk(
      id: nextChunk, job: chunk.job, worker: chunk.worker, seed: chunk.seed, range: index..<index + 1, grain: 1,
      attempt: chunk.attempt, crashes: chunk.crashes, cell: chunk.cell)
    again.slot = slot
    again.isSuspect = true
    putBack(again)
  }

  /// Offers the chunk again, before whatever comes after it: several may come back, in any order.
  mutating func putBack(_ chunk: Chunk) {
    // The failure of an item before it may just have ended the job.
    guard let job = jobs[chunk.job], !job.ended else { return }
    var chunk = chunk
    chunk.inspectAt = nil
    chunk.isBehind = false
    chunk.isAtItsLast = false
    chunk.waits = 0
    chunk.stuck = nil
    chunk.abandonAt = nil
    // A suspect stays in its slot, whatever waits for it.
    if chunk.slot != nil, job.spec.roundRobin || chunk.isSuspect { return pin(chunk, first: true) }
    chunk.slot = nil
    job.ready.insert(chunk) { $0.range.lowerBound < chunk.range.lowerBound }
    offer(chunk.job)
    if job.isSpared { lostItsSlot(job, chunk.job) }
  }

  /// Offers what a slot has given back of the chunk that it is at: a part for each slot, for the items are slow.
  private mutating func putBackInParts(_ rest: Chunk) {
    guard let job = jobs[rest.job], !job.ended else { return }
    let size = max(1, (rest.range.count + width - 1) / max(1, width))
    var parts: [Chunk] = []
    var left = rest
    while true {
      nextChunk += 1
      left.id = nextChunk
      guard left.range.count > size else { break }
      let next = left.cut(at: left.range.lowerBound + size)
      parts.append(left)
      left = next
    }
    for part in (parts + [left]).reversed() { putBack(part) }
  }

  mutating func pin(_ chunk: Chunk, first: Bool) {
    let width = max(1, width)
    let turn = chunk.slot! % width
    let benched = workers[chunk.worker]?.benched ?? []
    // A slot that cannot set the worker up, or gets none, passes its turn on.
    let able = (turn..<turn + width).filter { !benched.contains($0 % width) }
    let hopeful = able.first { mayServe($0 % width) }
    let slot = (hopeful ?? able.first { !rests($0 % width) } ?? able.first ?? turn) % width
    queue.pin(chunk, to: slot, first: first)
  }

  mutating func offer(_ id: JobID) {
    guard let job = jobs[id], !job.ended else { return }
    if job.spec.roundRobin {
      while let chunk = job.ready.popFirst() { pin(chunk, first: false) }
    } else if !job.ready.isEmpty {
      queue.offer(job)
    }
  }
}
