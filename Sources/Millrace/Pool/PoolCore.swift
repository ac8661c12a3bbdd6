package import Logging
import MillraceIPC

/// The pool behind the façade: one dispatcher behind one lock, the records of its jobs and workers, and a backend.
///
/// ```
///   consumer ──next──┐                        ┌── slots: accept (under the lock), flush (after it)
///   feeder ─arrived──┤  step { dispatcher } ──┤── consumers: resumed after the lock
///   slot ──finished──┤    (one lock)          ├── feeders: told to read after the lock
///   alarm ──tick─────┘                        └── alarm: set after the lock
/// ```
///
/// Whoever has news steps the dispatcher; its actions are queued under the lock, in order, and carried out after it.
package final class PoolCore: DrivenPool {
  struct State: ~Copyable {
    var dispatcher: Dispatcher
    var jobs = Registry<JobID, JobRecord>()
    /// Those whose consumers wait for so long and no longer. Mostly few, where there may be very many jobs.
    var impatient: [JobID: JobRecord] = [:]
    /// When the first of them is to be looked at; perhaps it waits no more by then.
    var impatience: UInt64?
    /// Consumers for whom there is something, and who go on when a slot is free, or at the time.
    var resting = RestingConsumers()
    var workers = Registry<WorkerKey, WorkerRecord>()
    var index = WorkerIndex()
    var isClosed = false
    var isStopped = false
    /// Why nothing can run any more.
    var loss: WorkerPoolError?
    var stopWaiters: [UnsafeContinuation<Void, Never>] = []
    var dispatcherAlarm: UInt64?
    var alarmTime: UInt64?
    var alarmChanges: UInt64 = 0
    /// Those who want to know what happens.
    var observers: [any EventObserver] = []
    /// What goes on beside the pool's slots as well, and ends with it.
    var dependants: [any PoolDependant] = []

    /// Why it takes nothing more, if it does not.
    var refusal: WorkerPoolError? {
      guard isClosed else { return nil }
      return loss ?? WorkerPoolError(.closed, "the pool was shut down: it takes no more work")
    }
  }

  /// What is to be done once the lock is released.
  ///
  /// Not copyable, for each step makes one, and a copy is a reference to each of its arrays.
  private struct Effects: ~Copyable {
    var reads: [(JobRecord, Int)] = []
    var resumptions: [UnsafeContinuation<Void, Never>] = []
    /// What most steps do not lead to; nil: nothing of that.
    private(set) var rare: Rare?
    var outlets: [any Outgoing] = []
    var isStopped = false
    var alarm: (time: UInt64?, change: UInt64)?

    mutating func add(_ change: (inout Rare) -> Void) {
      if rare == nil { rare = Rare() }
      change(&rare!)
    }

    mutating func takeRare() -> Rare? {
      defer { rare = nil }
      return rare
    }
  }

  private struct Rare {
    var ended: [JobRecord] = []
    var released: [JobRecord] = []
    var closed: [(WorkerRecord, waiters: [UnsafeContinuation<Void, Never>])] = []
    /// For the log. All of them are let go of behind the lock, should no observer have them any more.
    var notes: [PoolEvent] = []
    /// Observers for whom there is something.
    var observers: [any EventObserver] = []
    /// What they were too slow for.
    var missed: [PoolEvent] = []
    /// What was taken from feeders: let go of behind the lock, should nobody else have it.
    var batches: [Batch] = []
    var collected: [any Feeding] = []
  }

  private let state: Lock<State>
  /// Set once, by `connect`.
  @exclusivity(unchecked) nonisolated(unsafe) private var connected: (any Slots)?
  private let alarm = Alarm()
  package let logger: Logger
  /// How many jobs may wait for a worker.
  let queueLimit: Int?
  /// How many pools there are around its items, this one included.
  let depth = Nesting.depth + 1
  /// How many launches of worker processes lie above the process in which the pool lives.
  private let processDepth = Nesting.processDepth
  private let memoryWatch = MemoryWatch()
  let abilities: BackendAbilities

  init(_ kind: any BackendKind, logger: Logger, queueLimit: Int? = nil) {
    self.logger = logger
    self.queueLimit = queueLimit
    abilities = kind.abilities
    state = Lock(State(dispatcher: Dispatcher(limits: kind.limits)))
  }

  /// Connects the backend, once, before anything else.
  func connect(_ slots: any Slots) {
    connected = slots
    alarm.onTime = { [weak self] in self?.timeHasCome() }
    alarm.onStandstill = { [weak self] in self?.step { $0.stoodStill(now: $1) } }
  }

  var backend: any Slots { connected! }

  /// The consumers, if they do the work themselves.
  var driver: (any CallerDriver)? { backend.driver }

  // MARK: Stepping

  package func step(_ event: (inout Dispatcher, UInt64) -> Void) { ask(event) }

  /// Tells the dispatcher something, and carries out what it decides. What the dispatcher says to it.
  func ask<R: Sendable>(_ event: (inout Dispatcher, UInt64) -> R) -> R {
    var effects = Effects()
    let result = withState(&effects) { event(&$0.dispatcher, _monotonicNow()) }
    perform(effects)
    return result
  }

  private func withState<R: Sendable>(_ effects: inout Effects, _ body: (inout State) -> R) -> R {
    let slots = backend
    return state.withLock { state in
      let result = body(&state)
      Self.route(&state, slots, &effects)
      return result
    }
  }

  private static func route(_ state: inout State, _ slots: any Slots, _ effects: inout Effects) {
    var place = 0
    while let action = state.dispatcher.takeAction(&place) { route(action, &state, slots, &effects) }
    var next = state.dispatcherAlarm
    if let time = state.impatience { next = min(next ?? time, time) }
    if !state.resting.isEmpty {
      if state.dispatcher.hasFreeSlot || effects.isStopped { effects.resumptions += state.resting.takeAll() }
      if let time = state.resting.first { next = min(next ?? time, time) }
    }
    if next != state.alarmTime {
      state.alarmTime = next
      state.alarmChanges += 1
      effects.alarm = (next, state.alarmChanges)
    }
  }

  private static func route(
    _ action: Action, _ state: inout State, _ slots: any Slots, _ effects: inout Effects
  ) {
    switch action {
    case .read(let id, let count, _):
      if let job = state.jobs[id] { effects.reads.append((job, count)) }
    case .collect(let id):
      // Taken under the lock, so that what comes of one input comes in its order.
      guard let job = state.jobs[id], let batch = job.feeder.collect() else { return }
      effects.add {
        $0.batches.append(batch)
        $0.collected.append(job.feeder)
      }
      state.dispatcher.arrived(job, batch, goesOn: true, now: _monotonicNow())
    case .deliver(let id, let segment):
      guard let job = state.jobs[id] else { return }
      if let outlet = job.outlet {
        outlet.accept(segment)
        if effects.outlets.last !== outlet { effects.outlets.append(outlet) }
        return
      }
      if !job.keepsOutputs, case .outputs = segment.content { return }
      job.queue.append(segment)
      if job.queue.count >= job.wakesAt { wake(job, &state, &effects, isUrgent: false) }
    case .end(let id, let end, let worked):
      guard let job = state.jobs[id] else { return }
      job.end = end
      job.worked = worked
      if let outlet = job.outlet {
        outlet.accept(end)
        effects.outlets.append(outlet)
      }
      wake(job, &state, &effects)
      effects.add { $0.ended.append(job) }
    case .release(let id):
      if let job = state.jobs[id] { effects.add { $0.released.append(job) } }
      state.jobs[id] = nil
    case .raised(let id, let level):
      state.jobs[id]?.place?.raise(to: level)
    case .closed(let key):
      guard let worker = state.workers.removeValue(forKey: key) else { return }
      state.index.remove(worker)
      let waiters = worker.closed()
      effects.add { $0.closed.append((worker, waiters)) }
    case .stopped:
      effects.isStopped = true
    case .alarm(let time):
      state.dispatcherAlarm = time
    case .note(let event):
      if case .workerEnded(_, _, let departure) = event.event {
        for broken in departure.brokenTearDowns {
          state.workers[broken.worker]?.lost(broken.failure, isBystander: broken.isBystander)
        }
      }
      let observers = state.observers
      effects.add { rare in
        rare.notes.append(event)
        guard !observers.isEmpty else { return }
        // In the order in which they happened, so under the lock.
        for observer in observers {
          if let missed = observer.accept(event) { rare.missed.append(missed) }
        }
        if rare.observers.isEmpty { rare.observers = observers }
      }
    case .start, .prepare, .cancelSetUp, .run, .revoke, .share, .inspect, .cancel, .tearDown, .tearDownApart, .kill,
      .stop:
      slots.accept(action)
    }
  }

  /// Resumes the job's consumer, if it waits; it takes what there is itself.
  private static func wake(
    _ job: JobRecord, _ state: inout State, _ effects: inout Effects, isUrgent: Bool = true
  ) {
    guard let waiter = job.waiter else { return }
    job.waiter = nil
    if job.waitsUntil != nil { state.impatient[job.id] = nil }
    job.waitsUntil = nil
    if !isUrgent, rests(waiter, job, by: job.wokenAt &+ restTime, &state) { return }
    effects.resumptions.append(waiter)
  }

  /// A consumer that goes on takes a CPU from a slot: while they all have enough to do it does so once in this time.
  static var restTime: UInt64 { 4_000_000 }

  /// Has a consumer rest until a slot is free, or until the time; false if it is to go on at once.
  private static func rests(
    _ waiter: UnsafeContinuation<Void, Never>, _ job: JobRecord, by time: UInt64, _ state: inout State
  ) -> Bool {
    guard _monotonicNow() < time, !state.isStopped, state.dispatcher.hasEnoughToDo(with: job.id) else { return false }
    state.resting.add(waiter, until: time)
    return true
  }

  /// Resumes who waits for outcomes of the job that go elsewhere first: at the time at the latest, and sooner if a slot is free.
  func resume(_ waiter: UnsafeContinuation<Void, Never>, of job: JobRecord, by time: UInt64) {
    var effects = Effects()
    let rests = driver == nil && withState(&effects) { Self.rests(waiter, job, by: time, &$0) }
    perform(effects)
    if !rests { waiter.resume() }
  }

  private func perform(_ decided: consuming Effects) {
    var effects = decided
    Unlocked.expect("what a step of the pool leads to")
    let backend = backend
    if !effects.resumptions.isEmpty { for waiter in effects.resumptions { waiter.resume() } }
    let rare = effects.takeRare()
    if let rare {
      for observer in rare.observers { observer.flush() }
      for note in rare.notes where EventLog.mentions(note.event) { log(note.event, rare.closed.map(\.0)) }
      for job in rare.ended { job.feeder.end() }
      for job in rare.released { job.context?.end() }
      for (_, waiters) in rare.closed { for waiter in waiters { waiter.resume() } }
    }
    if let (time, change) = effects.alarm { alarm.set(time, change) }
    backend.flush()
    if !effects.outlets.isEmpty { for outlet in effects.outlets { outlet.flush() } }
    if let rare { for feeder in rare.collected { feeder.collected() } }
    if !effects.reads.isEmpty { for (job, count) in effects.reads { job.feeder.read(count) } }
    backend.driver?.hasNews()
    if effects.isStopped {
      alarm.end()
      backend.close { self.closed() }
    }
  }

  /// - Parameter closed: workers that the pool has just forgotten.
  private func log(_ event: DispatchEvent, _ closed: [WorkerRecord]) {
    let lines = EventLog.lines(of: event)
    guard !lines.isEmpty else { return }
    var metadata: Logger.Metadata = [:]
    if let (key, error) = EventLog.worker(of: event), let record = closed.first(where: { $0.key == key }) ?? worker(key)
    {
      let who = record.name(throwing: error)
      metadata[who.key] = "\(who.name)"
    }
    for (text, slot) in lines {
      metadata["slot"] = "\(slot)"
      logger.warning("\(text)", metadata: metadata)
    }
  }

  private func timeHasCome() {
    var effects = Effects()
    let late = withState(&effects) { state in
      let now = _monotonicNow()
      state.alarmTime = nil
      state.dispatcher.tick(now: now)
      var late: [UnsafeContinuation<Void, Never>] = []
      for job in state.impatient.values {
        guard let time = job.waitsUntil, time <= now, let waiter = job.waiter else { continue }
        job.waiter = nil
        job.waitsUntil = nil
        late.append(waiter)
      }
      state.impatient = state.impatient.filter { $0.value.waitsUntil != nil }
      state.impatience = state.impatient.values.lazy.compactMap(\.waitsUntil).min()
      late += state.resting.take(until: now)
      return late
    }
    perform(effects)
    for waiter in late { waiter.resume() }
  }

  // MARK: Workers

  /// The record of the worker, or of one that it equals; made if there is none.
  func record<W: Worker>(of worker: W, keeps: Bool, stages: [String] = []) -> WorkerRecord {
    let identity = keeps ? WorkerIdentity(worker) : nil
    var known: [WorkerRecord] = []
    while true {
      // The user's `==` is asked without the lock; who came in meanwhile is asked next.
      if let identity, let found = known.first(where: { $0.isSame(as: identity) }) { return found }
      let seen = known
      let (record, others) = state.withLock { state -> (WorkerRecord?, [WorkerRecord]) in
        if let identity {
          let candidates = state.index.candidates(identity)
          guard candidates.elementsEqual(seen, by: ===) else { return (nil, candidates) }
        }
        let record = WorkerRecord(
          worker, key: state.dispatcher.addWorker(), identity: identity, stages: stages, memoryWatch: memoryWatch)
        state.workers[record.key] = record
        state.index.insert(record)
        return (record, [])
      }
      if let record { return record }
      known = others
    }
  }

  func existingRecord<W: Worker>(of worker: W) -> WorkerRecord? {
    guard let identity = WorkerIdentity(worker) else { return nil }
    return state.withLock { $0.index.candidates(identity) }.first { $0.isSame(as: identity) }
  }

  package func worker(_ key: WorkerKey) -> WorkerRecord? { state.withLock { $0.workers[key] } }

  /// An instance of the worker has ended.
  package func exited(_ key: WorkerKey, slot: Int, _ result: Result<any Sendable, any Error>) {
    guard let record = worker(key) else { return }
    if case .failure(let error) = result {
      let who = record.name(throwing: error)
      logger.error("tear-down failed: \(error)", metadata: ["slot": "\(slot)", who.key: "\(who.name)"])
    }
    record.exited(slot: slot, result)
  }

  /// Tears down every instance of the worker, and waits until that is done.
  func close(_ record: WorkerRecord) async {
    let closings = record.closings
    step { $0.close(record.key, now: $1) }
    await driver?.runOn(self) { record.isClosed(since: closings) }
    await record.waitUntilClosed(since: closings)
  }

  // MARK: Jobs

  /// Submits a job; throws if the pool takes none.
  func submit(
    _ worker: WorkerRecord, _ job: JobRecord, _ request: MapRequest
  ) throws {
    try backend.validate(worker, request.options)
    try job.enter(self, hasContext: abilities.contains(.sharesMemory))
    var effects = Effects()
    let refusal = withState(&effects) { state -> WorkerPoolError? in
      if let refusal = state.refusal { return refusal }
      // Who waits for a map inside an item has begun already.
      if let queueLimit, (job.place?.level ?? 0) == 0, state.dispatcher.isFull(queueLimit) {
        return WorkerPoolError(
          .queueFull, "\(queueLimit) maps and submissions wait already: the pool takes no more now")
      }
      // An equal worker may have closed since it was looked up: the job brings its record along.
      let isPulled = request.isPulled
      var spec = request.spec(
        worker.key, width: max(1, state.dispatcher.width),
        isInMemory: job.feeder.readsAtOnce && !isPulled && driver == nil)
      spec.level = job.place?.level ?? 0
      // Its turn may be that of a slot whose item waits for it.
      if spec.level > 0 { spec.roundRobin = false }
      // Who keeps all outcomes has taken them when they are there.
      if !isPulled { spec.ahead = nil }
      spec.readsAtOnce = job.feeder.readsAtOnce
      spec.startsLarge =
        job.place != nil && spec.readsAtOnce && !isPulled && job.wakesAt > 1 && spec.lifespan == JobSpec.Lifespan()
      spec.keepsWorkers = spec.keepsWorkers && worker.identity != nil
      if state.workers[worker.key] == nil {
        state.dispatcher.readdWorker(worker.key)
        worker.isBack()
      }
      state.workers[worker.key] = worker
      state.index.insert(worker)
      job.id = state.dispatcher.submit(spec, now: _monotonicNow())
      job.place?.belongs(to: job.id)
      job.companion?.belongs(to: job.id)
      state.jobs[job.id] = job
      return nil
    }
    if let refusal {
      job.context?.end()
      throw refusal
    }
    perform(effects)
  }

  /// Forgets a worker that was made for a job which was then not accepted.
  func forgetIfUnused(_ record: WorkerRecord) {
    step { dispatcher, now in
      if dispatcher.isUnused(record.key) { dispatcher.close(record.key, now: now) }
    }
  }

  package func hasDelivered(_ job: JobRecord) -> Bool {
    state.withLock { job.queue.isEmpty && job.end == nil && !$0.dispatcher.isAtItems(of: job.id) }
  }

  /// Of all jobs.
  package var feeders: [any Feeding] { state.withLock { $0.jobs.values.map(\.feeder) } }

  package var hasStopped: Bool { state.withLock { $0.isStopped } }

  /// Whether anybody waits for something.
  package var hasLiveJobs: Bool { state.withLock { $0.jobs.values.contains { $0.end == nil } } }

  /// How long an item of the job may take, if that is still of interest.
  package func itemTimeout(_ id: JobID) -> Duration? {
    state.withLock { state in
      guard let job = state.jobs[id], job.end == nil else { return nil }
      return job.itemTimeout
    }
  }

  /// Where code of a worker's is that is no map's: a set-up, a tear-down. Maps that it makes need slots of a higher level.
  package func place(of worker: WorkerKey, inSlot slot: Int) -> Nesting.Place {
    let level = state.withLock { $0.dispatcher.level(of: slot) }
    return Nesting.Place(in: self, level: level, depth: depth, outer: nil, of: worker)
  }

  package func stage(of id: JobID) -> String? { job(id)?.stage }

  package func job(_ id: JobID) -> JobRecord? { state.withLock { $0.jobs[id] } }

  /// Whether the map's policy, were there attempts left, would try the item again.
  ///
  /// Without a cause: its worker was killed, for its slowness perhaps. Of what was given up for something else nobody is asked.
  package func isRetryable(_ chunk: Chunk, _ index: Int, _ slot: Int, _ cause: ItemFailure.Cause?) -> Bool {
    let (job, limit) = state.withLock { state in
      (state.jobs[chunk.job], cause == nil ? state.dispatcher.limit(brokenBy: chunk.id, index, in: slot) : nil)
    }
    guard let cause = cause ?? limit.map({ .timedOut(limit: .nanoseconds($0)) }) else { return true }
    Unlocked.expect("a log handler, and a retry's condition")
    // What becomes of it is said elsewhere; but if it is cured by another attempt, nowhere.
    var metadata: Logger.Metadata = ["slot": "\(slot)"]
    if let stage = job?.stage { metadata["stage"] = "\(stage)" }
    logger.debug("attempt \(chunk.attempt) at item \(index) failed: \(cause)", metadata: metadata)
    guard let condition = job?.condition else { return true }
    var failure = ItemFailure(index: index, slot: slot, attempt: chunk.attempt, cause: cause)
    failure.input = (chunk.cell as? InputStore)?.item(at: index)
    return condition(failure)
  }

  /// The next outcomes, if there are any already. `consumed` items were used up since the last call; it is zero for a job
  /// that is not pulled.
  ///
  /// Those behind the first go to `waiting`, which is empty.
  func poll(_ job: JobRecord, consumed: Int, taking waiting: inout FIFO<Segment>) -> Delivery? {
    var effects = Effects()
    let (delivery, rest) = withState(&effects) { state -> (Delivery?, FIFO<Segment>) in
      if consumed > 0 { state.dispatcher.consumed(job.id, count: consumed, now: _monotonicNow()) }
      let delivery = Self.takeNext(job)
      defer { job.queue = FIFO() }
      return (delivery, job.queue)
    }
    waiting = rest
    perform(effects)
    return delivery
  }

  /// The consumer has used up so many items.
  func consumed(_ job: JobRecord, count: Int) { step { $0.consumed(job.id, count: count, now: $1) } }

  package func poll(_ job: JobRecord) -> Delivery? {
    state.withLock { _ in Self.takeNext(job) }
  }

  /// The next outcomes; waits for them, for `limit` nanoseconds at the most.
  func next(_ job: JobRecord, limit: UInt64?) async -> Delivery {
    if let driver { return await driver.next(job, of: self) }
    return await withTaskCancellationHandler {
      await waitForNews(job, until: limit.map { _monotonicNow() &+ $0 })
      job.wokenAt = _monotonicNow()
      return poll(job) ?? .timedOut
    } onCancel: {
      cancel(job)
    }
  }

  /// Works for a job whose outcomes go elsewhere, where consumers do the work, and it has none.
  func drive(_ job: JobRecord) async {
    await driver?.drive(job, of: self)
  }

  /// Waits until there is something for the consumer, or until the time.
  func waitForNews(_ job: JobRecord, until time: UInt64?) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      var effects = Effects()
      let waits = withState(&effects) { state in
        guard job.queue.isEmpty, job.end == nil else { return false }
        job.waiter = continuation
        job.waitsUntil = time
        if let time {
          state.impatient[job.id] = job
          state.impatience = min(state.impatience ?? time, time)
        }
        return true
      }
      perform(effects)
      if !waits { continuation.resume() }
    }
  }

  private static func takeNext(_ job: JobRecord) -> Delivery? {
    if let segment = job.queue.popFirst() {
      KillPoint.parentDelivers.reach()
      job.isTaken = true
      return .segment(segment)
    }
    return job.end.map { .end($0) }
  }

  // MARK: Waiting inside items

  /// An item that waits for a job: in `job`'s place, until `waited`.
  struct Wait {
    let place: Nesting.Place
    let job: JobRecord
  }

  /// Code that may be inside an item of this pool begins to wait for the job, which needs another slot than the item's.
  func waits(for job: JobRecord) throws(WorkerPoolError) -> Wait? {
    guard let place = Nesting.place(in: self) else { return nil }
    guard ask({ $0.waits(place.job, level: place.level, for: job.id, now: $1) }) else {
      throw WorkerPoolError(
        .nestedTooDeep,
        "more than \(Nesting.maximumLevel) items of the same pool would wait for each other, or they wait in a circle")
    }
    return Wait(place: place, job: job)
  }

  func waited(_ wait: Wait?) {
    guard let wait else { return }
    state.withLock { $0.dispatcher.waited(wait.place.job, for: wait.job.id) }
  }

  /// Reads no more of the job's input: what was read, or is just being read, is finished.
  func readNoFurther(_ job: JobRecord) async {
    await job.feeder.readNoFurther()
    let batch = ask { dispatcher, now in
      let batch = job.feeder.collectRest()
      if let batch { dispatcher.arrived(job, batch, goesOn: true, now: now) }
      _ = dispatcher.stopReading(job.id, now: now)
      return batch
    }
    // What others do not have is let go of here, behind the lock.
    withExtendedLifetime(batch) {}
  }

  package func cancel(_ job: JobRecord) { step { $0.cancel(job.id, now: $1) } }

  func fail(_ job: JobRecord, _ error: any Error) { step { $0.fail(job.id, error, now: $1) } }

  // MARK: The pool's life

  /// Throws in a process that was forked with a copy of the pool: its threads are not there.
  func expectOwnProcess() throws(WorkerPoolError) {
    guard Nesting.processDepth == processDepth else {
      throw WorkerPoolError(
        .foreignPool,
        "this pool belongs to the program that made it, and this is one of its worker processes: make a pool here (withWorkerPool), or have the outer one run what it is for"
      )
    }
  }

  /// Throws if the pool was shut down, or is lost.
  func expectOpen() throws(WorkerPoolError) {
    if let refusal = state.withLock({ $0.refusal }) { throw refusal }
  }

  /// Throws where waiting for the pool's end would be waiting for oneself.
  ///
  /// - Parameter ofRuns: whether it waits for the pipelines that run on it, too.
  func expectOutside(_ call: String, ofRuns: Bool = true) throws(WorkerPoolError) {
    try expectOwnProcess()
    guard Nesting.level(in: self) == 0, !ofRuns || !dependants.contains(where: \.isInside) else {
      throw WorkerPoolError(
        .calledFromItem,
        "\(call) was called by an item of the same pool, which would wait for itself: call it where the pool was made")
    }
  }

  var width: Int { state.withLock { $0.dispatcher.width } }

  func resize(to width: Int) { step { $0.resize(to: width, now: $1) } }

  /// Takes no more work; ends when what was begun is done.
  func shutDown() {
    end(leaving: { $0.leavesInput(of: $1, isDrained: false) }) { $0.shutDown(now: $1) }
    for dependant in dependants { dependant.poolDrains(WorkerPoolError.shutDownBeforeTheEnd) }
  }

  /// Takes no more work and gives up what was begun.
  func terminate() {
    end { $0.terminate(now: $1) }
    for dependant in dependants { dependant.poolIsTerminated() }
  }

  /// Takes no more work and reads no more input; what was read is finished.
  func drain(_ error: any Error) {
    end(leaving: { $0.leavesInput(of: $1, isDrained: true) }) { $0.drain(error, now: $1) }
    for dependant in dependants { dependant.poolDrains(error) }
  }

  // MARK: What depends on it

  /// It ends with the pool, which waits for it. Throws if the pool takes no more.
  func add(_ dependant: any PoolDependant) throws(WorkerPoolError) {
    try expectOwnProcess()
    let refusal = state.withLock { state in
      if state.refusal == nil { state.dependants.append(dependant) }
      return state.refusal
    }
    if let refusal { throw refusal }
  }

  /// It is over.
  func remove(_ dependant: any PoolDependant) {
    let dependants = state.withLock { state in
      defer { state.dependants.removeAll { $0 === dependant } }
      return state.dependants
    }
    // Let go of behind the lock.
    withExtendedLifetime(dependants) {}
  }

  private var dependants: [any PoolDependant] { state.withLock { $0.dependants } }

  /// The backend cannot go on: all that was begun ends with the error, and so does what comes.
  package func lose(_ error: WorkerPoolError) {
    var effects = Effects()
    withState(&effects) { state in
      (state.isClosed, state.loss) = (true, error)
      let now = _monotonicNow()
      for job in state.jobs.values where job.end == nil { state.dispatcher.fail(job.id, error, now: now) }
      if !state.isStopped { state.dispatcher.terminate(now: now) }
    }
    perform(effects)
  }

  /// - Parameter leaving: whether the job's input is left: what was read of it is taken.
  private func end(
    leaving: (borrowing Dispatcher, JobID) -> Bool = { _, _ in false }, _ how: (inout Dispatcher, UInt64) -> Void
  ) {
    var effects = Effects()
    let left = withState(&effects) { state in
      state.isClosed = true
      var left: [(JobRecord, Batch)] = []
      for job in state.jobs.values where leaving(state.dispatcher, job.id) {
        guard let batch = job.feeder.collectRest() else { continue }
        left.append((job, batch))
        state.dispatcher.arrived(job, batch, goesOn: true, now: _monotonicNow())
      }
      if !state.isStopped { how(&state.dispatcher, _monotonicNow()) }
      return left
    }
    for (job, _) in left { job.feeder.end() }
    perform(effects)
  }

  private func closed() {
    let (waiters, observers) = state.withLock { state in
      state.isStopped = true
      defer { (state.stopWaiters, state.observers) = ([], []) }
      return (state.stopWaiters, state.observers)
    }
    Unlocked.expect("a continuation")
    for observer in observers { observer.end() }
    for waiter in waiters { waiter.resume() }
    driver?.hasNews()
  }

  func waitUntilStopped() async {
    // It is closed: there will be no others.
    for dependant in dependants { await dependant.waitUntilOver() }
    await driver?.runOn(self) { self.hasStopped }
    await withUnsafeContinuation { continuation in
      let isStopped = state.withLock { state in
        if !state.isStopped { state.stopWaiters.append(continuation) }
        return state.isStopped
      }
      if isStopped { continuation.resume() }
    }
  }

  // MARK: Observing

  package var samplesMemory: Bool { memoryWatch.isOn }

  /// The pool as it is, and a place for what happens after that.
  package func observe(buffer limit: Int) -> (snapshot: PoolSnapshot, subscription: EventSubscription) {
    let buffer = EventBuffer(limit: limit)
    let snapshot = add(buffer)
    return (snapshot, EventSubscription(buffer, self))
  }

  /// Tells the observer of all that happens from now on, for as long as the observation is kept.
  func observe(with observer: any EventObserver, from snapshot: (PoolSnapshot) -> Void = { _ in }) -> Observation {
    _ = add(observer, from: snapshot)
    return Observation(observer, self)
  }

  /// - Parameter begin: called with the pool as it is, before the first event; under the lock.
  private func add(_ observer: any EventObserver, from begin: (PoolSnapshot) -> Void = { _ in }) -> PoolSnapshot {
    let (snapshot, hasEnded) = state.withLock { state in
      let snapshot = state.dispatcher.snapshot(now: _monotonicNow())
      begin(snapshot)
      if !state.isStopped {
        state.observers.append(observer)
        if observer.wantsMemory { memoryWatch.add(1) }
        state.dispatcher.isObserved = true
      }
      return (snapshot, state.isStopped)
    }
    if hasEnded { observer.end() }
    return snapshot
  }

  func forget(_ observer: any EventObserver) {
    state.withLock { state in
      guard let place = state.observers.firstIndex(where: { $0 === observer }) else { return }
      state.observers.remove(at: place)
      if observer.wantsMemory { memoryWatch.add(-1) }
      state.dispatcher.isObserved = !state.observers.isEmpty
    }
  }

  var observerCount: Int { state.withLock { $0.observers.count } }

  /// How many items of the job are done in chunks that run, beyond those that were told.
  func untold(of job: JobID) -> Int { backend.untold(of: job) }

  package var snapshot: PoolSnapshot { state.withLock { $0.dispatcher.snapshot(now: _monotonicNow()) } }
}

extension PoolCore: CustomReflectable {
  /// For who prints a pool, or what belongs to one: reflection cannot look into what is not copyable.
  package var customMirror: Mirror { Mirror(self, children: ["width": width]) }
}
