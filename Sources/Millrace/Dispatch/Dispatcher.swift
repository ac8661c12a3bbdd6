import MillraceIPC

/// The scheduler: which chunk runs where and when, what a death costs, what is delivered, when to read on.
///
/// It is a pure state machine: events go in as method calls, what to do comes out in ``actions``. It owns no thread, no
/// clock and no I/O; time is what the last event said it is. So every schedule can be played through in a test.
///
/// ```
/// input ──arrived──▶ ready ──assign──▶ slot's queue ──completed/failed──▶ held (order) ──▶ deliver
/// ▲                   │ death, revoke, retry
/// └───────────────────┘
/// ```
///
/// A *generation* numbers the workers that follow each other in a slot. An event of an earlier generation is what a
/// worker says that was already written off, and is ignored: its items have been given to others.
package struct Dispatcher: ~Copyable {
  package internal(set) var actions: [Action] = []
  /// Not in the dispatcher itself, which is copied, as far as it is flat, for closures that look at it.
  let constants: Constants
  var now: UInt64 = 0
  var slots: SlotTable
  var jobs = Registry<JobID, Job>()
  var workers = Registry<WorkerKey, WorkerState>()
  let queue = RunQueue()
  /// Jobs whose reader has items on their way that nobody waits for, so that it may gather them for chunks.
  var gathering: [JobID] = []
  /// What slots have been given in this step, and of which jobs, while there are such readers.
  var given: [(slot: Int, job: JobID)] = []
  /// Chunks that wait for their back-off.
  var delayed: [Chunk] = []
  /// Workers that no job uses, kept for the next, the one that was used last behind the others.
  var kept: [WorkerKey] = []
  var nextJob = 0
  /// How many jobs that have not ended set their worker up before they have something for it. With the next, no larger than one of
  /// the others.
  var eagerJobs: UInt32 = 0
  var nextWorker: UInt32 = 0
  var nextChunk = 0
  var alarm: UInt64?
  /// When to look once more for chunks that wait behind one that takes its time, while others are idle.
  var robAt: UInt64?
  /// How many chunks slots were asked to give back that have not answered. Kept, for it is asked at every step.
  var askedBack = 0
  /// Whether slots may have workers of the users' that nobody needs any more.
  var hasUnneeded = false
  /// Of slots that had no worker when they wanted one; mostly there are none.
  var troubles: [Int: Trouble] = [:]
  /// After this time no slot rests.
  var restingUntil: UInt64 = 0
  /// Not before this time a job has taken as long as it may. It may be that none has then, if that one ended before.
  var nextOverdue: UInt64?
  /// Jobs of which no slot has been given an item yet, but for those inside items.
  var waitingJobs = 0
  /// When the program last went on after it had stood still: no limit counts what was before.
  var revivedAt: UInt64 = 0
  private var isBatching = false
  /// Whether anybody wants to know what happens. Beside the others of its size: the dispatcher is copied flat for closures, and what
  /// is more than 256 bytes in twice the time.
  package var isObserved = false
  var draining = false
  /// How the pool was told to end, if it was.
  var closing: PoolClosing?
  /// Whether workers may be on their way out to whom nobody has set a limit.
  var hasLeavers = false
  /// How many instances have been torn down apart.
  var numberOfLeavers = 0
  var hasStopped = false
  /// The number of slots that should be there.
  package internal(set) var width = 0

  package init(limits: DispatchLimits = DispatchLimits()) {
    constants = Constants(limits: limits)
    slots = SlotTable(constants)
  }

  package var limits: DispatchLimits { constants.limits }

  final class Constants {
    let limits: DispatchLimits
    /// How long what has chunks behind it may take before those are there for others.
    let stallTime: UInt64
    /// Who works for the pool elsewhere: no constant, but here for the same reason, for it is seldom asked.
    var members: [String: PoolMember] = [:]
    /// How many chunks they have brought too late.
    var lateResults = 0

    init(limits: DispatchLimits) {
      self.limits = limits
      stallTime = limits.prefetchTime &* 10
    }
  }

  /// Takes the actions asked for since the last call.
  package mutating func takeActions() -> [Action] {
    defer { actions.removeAll(keepingCapacity: true) }
    return actions
  }

  /// Takes them one by one, to the last, also those that are asked for meanwhile; nil: there are no more. Where they stand is used again,
  /// so that no step of a pool makes an array.
  ///
  /// - Parameter place: how many were taken, for who takes them; 0 at first.
  package mutating func takeAction(_ place: inout Int) -> Action? {
    guard place < actions.count else {
      actions.removeAll(keepingCapacity: true)
      return nil
    }
    let next = place
    place += 1
    // Moved, not copied. What stands there then is let go of with the others, and refers to nothing.
    return actions.withUnsafeMutableBufferPointer { actions in
      let place = actions.baseAddress! + next
      let action = place.move()
      place.initialize(to: .stopped)
      return action
    }
  }

  /// A class, so that a step changes it in place and copies nothing. Its accesses are not checked for overlaps, which cost a
  /// fifth of a small chunk: steps follow each other under the pool's lock, and none is inside another.
  final class Job {
    let id: JobID
    @exclusivity(unchecked) var spec: JobSpec
    /// How many items have been read.
    @exclusivity(unchecked) var read = 0
    /// How many items have left the window.
    @exclusivity(unchecked) var consumed = 0
    /// The first item without an outcome on its way to the consumer, in input order.
    @exclusivity(unchecked) var nextToDeliver = 0
    @exclusivity(unchecked) var delivered = 0
    @exclusivity(unchecked) var isReading = false
    /// Whether the read brings its next item at once.
    @exclusivity(unchecked) var isAwaited = false
    @exclusivity(unchecked) var isGathering = false
    @exclusivity(unchecked) var parts = PartPace()
    /// The chunks that a read was asked for.
    @exclusivity(unchecked) var asked: [ChunkRun] = []
    /// What was asked for and did not come, though the input goes on.
    @exclusivity(unchecked) var owed: [ChunkRun] = []
    @exclusivity(unchecked) var inputEnded = false
    @exclusivity(unchecked) var inputError: (any Error)?
    @exclusivity(unchecked) var failures = 0
    /// Items that have their outputs.
    @exclusivity(unchecked) var done = 0
    @exclusivity(unchecked) var retried = 0
    /// What its items took in all, in nanoseconds.
    @exclusivity(unchecked) var worked: UInt64 = 0
    /// Its chunks that any slot may run, in order. The queue takes them out.
    @exclusivity(unchecked) var ready = FIFO<Chunk>()
    /// Whether there has been anything to be run.
    @exclusivity(unchecked) var hasChunks = false
    /// Whether it stands in the queue's line.
    @exclusivity(unchecked) var isInLine = false
    /// Whether its worker has run a chunk, of this job or another.
    @exclusivity(unchecked) var isMeasured = false
    /// Segments that wait for those before them, by their first index.
    @exclusivity(unchecked) var held: [Int: Segment] = [:]
    /// Chunks at slots or in their back-off.
    @exclusivity(unchecked) var outstanding = 0
    @exclusivity(unchecked) var ended = false
    /// Whether a slot has been given an item of it.
    @exclusivity(unchecked) var hasBegun = false
    /// Jobs for which its items wait, each with how many do.
    @exclusivity(unchecked) var awaits: [JobID: Int] = [:]
    /// Items wait for it, and it was not raised above them, for it has its slot.
    @exclusivity(unchecked) var isSpared = false
    /// When it has taken as long as it may.
    @exclusivity(unchecked) var deadline: UInt64?
    /// The next slot for `.roundRobin`.
    @exclusivity(unchecked) var turn = 0

    init(_ id: JobID, spec: JobSpec) {
      self.id = id
      self.spec = spec
      // Whose turn it is may have no right to it.
      if spec.maximumSlots != nil { self.spec.roundRobin = false }
    }

    deinit { if let inputError { Unlocked.release(inputError) } }
  }

  /// As of a job, its accesses are not checked.
  final class WorkerState {
    @exclusivity(unchecked) var users = 0
    @exclusivity(unchecked) var keeps = true
    @exclusivity(unchecked) var closing = false
    /// It has run a chunk.
    @exclusivity(unchecked) var isMeasured = false
    /// Somebody waits until no slot has it.
    @exclusivity(unchecked) var isAwaited = false
    /// How often in a row each slot has failed to set it up.
    @exclusivity(unchecked) var setUpFailures: [Int: Int] = [:]
    @exclusivity(unchecked) var setUpTimeout: UInt64?
    @exclusivity(unchecked) var tearDownTimeout: UInt64?
    /// Slots that have failed to set it up once too often while others may have it yet.
    @exclusivity(unchecked) var benched: Set<Int> = []

    /// Nobody needs it any more: its instances are to end.
    var isUnwanted: Bool { closing && users == 0 }

    func forgetTroubles() {
      setUpFailures.removeAll()
      benched.removeAll()
    }
  }

  // MARK: Jobs

  package mutating func addWorker() -> WorkerKey {
    nextWorker += 1
    let key = WorkerKey(Int(nextWorker))
    workers[key] = WorkerState()
    return key
  }

  /// Takes back a worker that was closed.
  package mutating func readdWorker(_ key: WorkerKey) {
    workers[key] = WorkerState()
  }

  /// Whether no job uses the worker and no slot has it.
  package func isUnused(_ key: WorkerKey) -> Bool {
    workers[key]?.users == 0
      && !slots.contains { $0.worker.prepared.contains(key) || $0.worker.toPrepare.contains(key) }
  }

  package mutating func submit(_ spec: JobSpec, now: UInt64) -> JobID {
    self.now = now
    nextJob += 1
    let id = JobID(nextJob)
    let job = Job(id, spec: spec)
    job.spec.chunking.start(
      total: spec.total, width: max(1, width), startsLarge: spec.startsLarge, chunkTime: limits.chunkTime)
    jobs[id] = job
    if isObserved { tell(.jobBegan(id, spec.worker, level: spec.level, total: spec.total)) }
    // Who waits for a map inside an item has begun already.
    if spec.level == 0 { waitingJobs += 1 }
    if spec.eagerSetUp { eagerJobs += 1 }
    if let limit = spec.totalTimeout {
      let deadline = now &+ limit
      job.deadline = deadline
      nextOverdue = min(nextOverdue ?? deadline, deadline)
    }
    let worker = workers[spec.worker]!
    worker.users += 1
    job.isMeasured = worker.isMeasured
    kept.removeAll { $0 == spec.worker }
    // It was to make room, and is used once more.
    if !worker.isAwaited { worker.closing = false }
    worker.keeps = spec.keepsWorkers
    worker.setUpTimeout = spec.setUpTimeout
    worker.tearDownTimeout = spec.tearDownTimeout
    worker.forgetTroubles()
    if spec.level > 0 { fitSpareSlots() }
    readOn(id)
    finish()
    return id
  }

  /// Whether so many jobs wait for a worker, beside those that free slots will take.
  package func isFull(_ limit: Int) -> Bool {
    let busy = slots.count(.busy, before: width)
    return waitingJobs - (width - busy) >= limit
  }

  /// Nobody wants the job's outcomes any more.
  package mutating func cancel(_ id: JobID, now: UInt64) {
    self.now = now
    end(id, .cancelled)
    finish()
  }

  /// Ends the job with an error of its driver's.
  package mutating func fail(_ id: JobID, _ error: any Error, now: UInt64) {
    self.now = now
    end(id, .failed(error))
    finish()
  }

  // MARK: Delivery

  mutating func settle(_ id: JobID, _ segment: Segment) {
    guard let job = jobs[id], !job.ended else { return }
    var failure: ItemFailure?
    if case .failure(let found) = segment.content {
      failure = found
      job.failures += 1
      if isObserved { tell(.itemFailed(id, found)) }
    } else {
      job.done += segment.range.count
      if isObserved { tell(.itemsDone(id, items: segment.range, slot: segment.slot, attempt: segment.attempt)) }
    }
    if let failure, job.spec.failFast { return end(id, .failed(failure)) }
    if !job.spec.ordered || segment.range.lowerBound == job.nextToDeliver {
      deliver(job, id, segment)
      while !job.held.isEmpty, let next = job.held.removeValue(forKey: job.nextToDeliver) { deliver(job, id, next) }
    } else {
      job.held[segment.range.lowerBound] = segment
    }
    if let failure, let maximum = job.spec.maximumFailures, job.failures > maximum {
      let error = WorkerPoolError(
        .tooManyFailures, "\(job.failures) items failed, at most \(maximum) may", underlying: failure)
      return end(id, .failed(error))
    }
    if !job.spec.isPulled { readOn(id) }
    completeIfDone(id)
  }

  private mutating func deliver(_ job: Job, _ id: JobID, _ segment: Segment) {
    job.nextToDeliver = max(job.nextToDeliver, segment.range.upperBound)
    job.delivered += segment.range.count
    if !job.spec.isPulled { job.consumed += segment.range.count }
    actions.append(.deliver(id, segment))
  }

  mutating func completeIfDone(_ id: JobID) {
    guard let job = jobs[id], !job.ended, job.inputEnded, !job.isReading, job.delivered == job.read else { return }
    if let error = job.inputError { end(id, .failed(error)) } else { end(id, .complete) }
  }

  /// Ends the job: nothing more is read, sent or delivered, and what runs is given up.
  mutating func end(_ id: JobID, _ how: JobEnd) {
    guard let job = jobs[id], !job.ended else { return }
    job.ended = true
    if job.spec.eagerSetUp { eagerJobs -= 1 }
    if !job.hasBegun, job.spec.level == 0 { waitingJobs -= 1 }
    queue.remove(job)
    if !job.held.isEmpty {
      Unlocked.release(job.held)
      job.held.removeAll()
    }
    let waiting = delayed.count
    delayed.removeAll { $0.job == id }
    job.outstanding -= waiting - delayed.count
    if isObserved { tell(.jobEnded(id, how, job.totals)) }
    actions.append(.end(id, how, worked: job.worked))
    if job.outstanding > 0 {
      for slot in slots.members(.busy) where slots[slot].worker.assigned.contains(id) { abandon(id, slot) }
    }
    let worker = workers[job.spec.worker]!
    worker.users -= 1
    if worker.users == 0 {
      if case .complete = how {} else { forgetSetUps(job.spec.worker) }
      if worker.keeps && !worker.closing { keep(job.spec.worker) } else { worker.closing = true }
      if case .complete = how { hasLeavers = true } else { giveUpSetUps(job.spec.worker) }
      closeIfDone(job.spec.worker)
    }
    releaseIfDone(id)
  }

  /// The worker stays for the next job, for which the one has to make room that was not used for longest.
  private mutating func keep(_ key: WorkerKey) {
    kept.append(key)
    guard kept.count > limits.keptWorkers else { return }
    let oldest = kept.removeFirst()
    workers[oldest]?.closing = true
    closeIfDone(oldest)
  }

  /// Takes back what the slot has not begun, and gives what it has begun the time of the grace.
  private mutating func abandon(_ id: JobID, _ slot: Int) {
    var chunks = SlotQueue()
    while var chunk = slots[slot].worker.assigned.popFirst() {
      if chunk.job == id, chunk.abandonAt == nil {
        chunk.abandonAt = now &+ constants.limits.cancellationGrace
        let generation = slots[slot].generation
        if !chunks.isEmpty, asksBack(chunk.id, of: slot) {
          actions.append(
            .revoke(slot: slot, generation: generation, chunk: chunk.id, from: chunk.range.lowerBound))
        }
        actions.append(.cancel(slot: slot, generation: generation, chunk: chunk.id))
      }
      chunks.append(chunk)
    }
    slots[slot].worker.assigned = chunks
  }

  mutating func releaseIfDone(_ id: JobID) {
    // A read that is still on its way is not waited for: the input may block for ever.
    guard let job = jobs[id], job.ended, job.outstanding == 0 else { return }
    jobs[id] = nil
    actions.append(.release(id))
  }

  // MARK: After each event

  /// Takes in several events as one: what follows from them is decided when all are known.
  package mutating func batch(_ events: (inout Dispatcher) -> Void) {
    isBatching = true
    events(&self)
    isBatching = false
    finish()
  }

  mutating func finish() {
    if isBatching { return }
    fillSlots()
    collectForFree()
    stopIfDrained()
    if hasLeavers { limitLeavers() }
    let next = nextDeadline()
    if next != alarm {
      alarm = next
      actions.append(.alarm(at: next))
    }
  }
}
