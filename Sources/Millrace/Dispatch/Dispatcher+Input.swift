extension Dispatcher {
  // MARK: What comes, and makes room for more

  /// Items of the last `.read` have come: all of them, or, if the read `goesOn`, some; `ended` if the input has no more.
  ///
  /// `known` are outcomes that some of them have already, in order, of attempt 0: they are delivered in their place, and the items are
  /// never run.
  package mutating func arrived(
    _ id: JobID, count: Int, cell: any AnyObject & Sendable, ended: Bool, goesOn: Bool = false, known: [Segment] = [],
    now: UInt64
  ) {
    self.now = now
    guard let job = jobs[id] else { return }
    // Nobody asked: what came after the input was ended from here is not the job's any more.
    guard job.isReading else { return }
    if goesOn, count == 0 { return }
    job.isReading = false
    job.isAwaited = false
    if job.ended { return }
    let hadChunks = job.hasChunks
    let known = known[...]
    if isObserved, count > 0 { tell(.jobRead(id, count: count)) }
    var left = count
    job.owed.removeAll(keepingCapacity: true)
    for asked in job.asked {
      let whole = min(asked.chunks, left / asked.size)
      makeReady(job, id, ChunkRun(size: asked.size, chunks: whole), cell, known)
      left -= whole * asked.size
      var missing = asked.chunks - whole
      if missing > 0, left > 0 {
        makeReady(job, id, part: left, cell, known)
        job.owed.append(ChunkRun(size: asked.size - left))
        missing -= 1
        left = 0
      }
      if missing > 0 { job.owed.append(ChunkRun(size: asked.size, chunks: missing)) }
    }
    if ended { endInput(job, id) }
    if !hadChunks, job.hasChunks, job.spec.eagerSetUp { prepareEverywhere(job.spec) }
    if count > 0 { offer(id) }
    if goesOn {
      if let time = limits.gatherTime { job.parts.handedOn(count, now: now, gathering: time) }
      swap(&job.asked, &job.owed)
      job.isReading = true
      gather(job, id)
    }
    for segment in known { settle(id, segment) }
    if !goesOn { readOn(id) }
    completeIfDone(id)
    finish()
  }

  /// A part of a chunk has come: it is a chunk, or, where sizes are ours to choose, one for each slot that is free.
  private mutating func makeReady(
    _ job: Job, _ id: JobID, part count: Int, _ cell: any AnyObject & Sendable, _ known: ArraySlice<Segment>
  ) {
    var size = count
    // What was gathered, and is done sooner than another slot is awake, is not cut up.
    let isQuick = job.parts.isGathered(count) && count <= job.spec.chunking.largest / 16
    if job.spec.chunking.isAutomatic, !isQuick {
      let most = job.spec.maximumSlots ?? .max
      let free = min(most, slots.members([.idle, .vacant]).count { serves($0, job.spec) })
      size = (count + max(1, free) - 1) / max(1, free)
    }
    let turn = job.turn
    for start in stride(from: 0, to: count, by: size) {
      makeReady(job, id, ChunkRun(size: min(size, count - start)), cell, known)
    }
    // The chunk's other items go to the same slot.
    job.turn = turn
  }

  /// The next items of the job have come, and are so many chunks: a batch, but for `.roundRobin`.
  private mutating func makeReady(
    _ job: Job, _ id: JobID, _ run: ChunkRun, _ cell: any AnyObject & Sendable, _ known: ArraySlice<Segment>
  ) {
    let (batches, batch) = job.spec.roundRobin ? (run.chunks, 1) : (min(run.chunks, 1), run.chunks)
    for _ in 0..<batches {
      var chunk = Chunk(
        id: nextChunk + 1, job: id, worker: job.spec.worker, seed: job.spec.seed,
        range: job.read..<job.read + batch * run.size, grain: run.size, cell: cell)
      nextChunk += batch
      job.read = chunk.range.upperBound
      chunk.slot = queue.turn(job, of: width)
      if known.isEmpty {
        job.ready.append(chunk)
        job.hasChunks = true
      } else {
        makeReady(job, chunk, without: known)
      }
    }
  }

  /// What is between those of the chunk's items that have their outcomes is chunks, each with a number of its own.
  @inline(never)
  private mutating func makeReady(_ job: Job, _ chunk: Chunk, without known: ArraySlice<Segment>) {
    var parts: [Chunk] = []
    var rest = chunk
    for segment in known where segment.range.overlaps(rest.range) {
      let range = segment.range.clamped(to: rest.range)
      if range.lowerBound > rest.range.lowerBound {
        let next = rest.cut(at: range.lowerBound)
        parts.append(rest)
        rest = next
      }
      rest.range = range.upperBound..<rest.range.upperBound
    }
    for var part in parts + [rest] where !part.range.isEmpty {
      part.id = nextChunk + 1
      nextChunk += part.count
      job.ready.append(part)
      job.hasChunks = true
    }
  }

  /// The input cannot be read on: what was read gets its outcomes, then the job ends with the error.
  package mutating func inputFailed(_ id: JobID, _ error: any Error, now: UInt64) {
    self.now = now
    guard let job = jobs[id] else { return }
    job.isReading = false
    endInput(job, id)
    job.inputError = error
    completeIfDone(id)
    finish()
  }

  /// Whether more may come of the input.
  package func isOpen(_ id: JobID) -> Bool { jobs[id].map { !$0.ended && !$0.inputEnded } ?? false }

  /// The input is not wanted any further: what was read gets its outcomes, then the job is complete. False if it had ended already.
  package mutating func stopReading(_ id: JobID, now: UInt64) -> Bool {
    self.now = now
    guard let job = jobs[id], !job.ended, !job.inputEnded else { return false }
    job.isReading = false
    endInput(job, id)
    completeIfDone(id)
    finish()
    return true
  }

  /// Nothing more is read of it.
  mutating func endInput(_ job: Job, _ id: JobID) {
    if isObserved, !job.inputEnded, !job.ended { tell(.jobReadAll(id)) }
    job.inputEnded = true
  }

  /// The consumer has taken so many items.
  package mutating func consumed(_ id: JobID, count: Int, now: UInt64) {
    self.now = now
    guard let job = jobs[id], job.spec.isPulled else { return }
    job.consumed += count
    readOn(id)
    finish()
  }

  // MARK: Reading on

  /// Asks for more input, if the window has room.
  mutating func readOn(_ id: JobID) {
    guard let job = jobs[id], !job.isReading, !job.inputEnded, !job.ended else { return }
    // Room was made for what is owed already, and the plan of chunks counts on it.
    job.asked = job.owed
    var asked = (chunks: 0, items: 0)
    for run in job.asked { asked = (asked.chunks + run.chunks, asked.items + run.items) }
    var isAtEnd = false
    while let run = nextChunks(job, behind: asked.chunks, items: asked.items) {
      if run.items == 0 {
        // The declared length is reached.
        isAtEnd = true
        break
      }
      job.spec.chunking.took(run)
      if job.asked.last?.size == run.size {
        job.asked[job.asked.count - 1].chunks += run.chunks
      } else {
        job.asked.append(run)
      }
      asked = (asked.chunks + run.chunks, asked.items + run.items)
    }
    guard asked.items > 0 else {
      if isAtEnd { endInput(job, id) }
      return completeIfDone(id)
    }
    job.isReading = true
    gather(job, id)
    actions.append(.read(id, count: asked.items, largest: job.asked.reduce(0) { max($0, $1.size) }))
  }

  // MARK: What has come does not wait for what comes after it

  /// The job's reader may gather items until a slot has nothing else to do.
  private mutating func gather(_ job: Job, _ id: JobID) {
    guard !job.spec.readsAtOnce, !job.isGathering else { return }
    job.isGathering = true
    gathering.append(id)
  }

  /// Has handed over what has come for jobs that a free slot could work on, or that have nothing ready while others are given work: where
  /// slots go from chunk to chunk none is ever free, and it would not be their turn for ever.
  mutating func collectForFree() {
    let given = given
    if !given.isEmpty { self.given = [] }
    guard !gathering.isEmpty else { return }
    let hasFree = hasFreeSlot
    guard hasFree || !given.isEmpty else { return }
    var place = 0
    while place < gathering.count {
      let id = gathering[place]
      guard let job = jobs[id], job.isReading, !job.ended else {
        jobs[id]?.isGathering = false
        gathering.remove(at: place)
        continue
      }
      let isPassedBy = job.ready.isEmpty && given.contains { $0.job != id && serves($0.slot, job.spec) }
      if job.parts.until <= now, isPassedBy || hasFree && isAnyoneFree(for: job) {
        job.isGathering = false
        job.isAwaited = true
        actions.append(.collect(id))
        gathering.remove(at: place)
      } else {
        place += 1
      }
    }
  }

  /// Whether there is a slot that has nothing to do.
  package var hasFreeSlot: Bool { slots.hasAny([.idle, .vacant]) }

  /// Whether all slots work, and each has something to go on with when it is done: chunks of this job that are ready, or its own.
  package func hasEnoughToDo(with id: JobID) -> Bool {
    guard !hasFreeSlot, let job = jobs[id] else { return false }
    var (missing, place) = (slots.count { $0.worker.assigned.count < 2 }, 0)
    while missing > 0, place < job.ready.count {
      missing -= job.ready[place].count
      place += 1
    }
    return missing <= 0
  }

  private func isAnyoneFree(for job: Job) -> Bool {
    slots.contains(in: [.idle, .vacant]) { mayServe($0, job) }
  }

  /// So many chunks are read at once of an input in memory, or more up to so many items: each costs less, and the first
  /// does not wait long.
  private static var readAtOnce: (chunks: Int, items: Int) { (64, 1_024) }

  /// A window that grows with what the consumer takes has at most so many items for each worker.
  static var mostAhead: Int { 65_536 }

  /// The next chunks, of one size, if they are to be read with what is asked for already, and the window has room for
  /// them behind that; none at the declared end.
  private func nextChunks(_ job: Job, behind chunks: Int, items: Int) -> ChunkRun? {
    let most = job.spec.readsAtOnce ? Self.readAtOnce : (chunks: 1, items: 0)
    guard chunks < most.chunks || items < most.items else { return nil }
    let inside = job.read - job.consumed + items
    let wanted: Int
    let room: Int
    switch job.spec.window {
    case .items(let limit):
      wanted = job.spec.chunking.next(atMost: limit, share: max(1, limit / (2 * width)))
      room = limit - inside
    case .chunks(let perWorker):
      let limit = job.spec.ahead.map { min($0 * width + job.consumed, Self.mostAhead * width) } ?? .max
      wanted = job.spec.chunking.next(atMost: limit, share: max(1, limit / (2 * width)))
      // Chunks of 3.14 items are of 3 and of 4: the window is the same before each of them.
      let chunk = job.spec.ahead == nil ? max(wanted, job.spec.chunking.largest) : wanted
      let depth = job.spec.ahead != nil && wanted > 1 ? max(perWorker, JobSpec.depthOfQuick) : perWorker
      room = min(Int(atMost: Double(chunk) * depth * Double(width)), limit) - inside
    }
    // A chunk waits for the room that it needs, unless nothing else would ever make any.
    guard wanted <= room || inside == 0 else { return nil }
    if wanted == 0 { return ChunkRun(size: 0) }
    let alike = min(job.spec.chunking.alike, max(most.chunks - chunks, (most.items - items) / wanted), room / wanted)
    return ChunkRun(size: wanted, chunks: max(1, alike))
  }
}
