import Millrace

/// Plays the ``Dispatcher`` through one schedule: a world of inputs, consumers, users and workers that are slow, stall,
/// throw and die, in which every choice comes from one seed, and time is what the schedule says.
///
/// ```
///   agenda ──event──▶ world ──report──▶ dispatcher ──actions──▶ ledger checks ──▶ world ──▶ agenda
/// ```
///
/// After each step the ledger checks what the dispatcher promises; when nothing more will happen, that nobody waits.
package final class Simulation {
  enum Event {
    case submit(Int)
    case deed(Int)
    /// The run to which the job belongs hears that its pool ends.
    case runEnds(Int)
    case alarm
    case order(slot: Int)
    case process(SimulatedProcess, serial: Int)
    case report(SimulatedWorker)
    case stale(SimulatedWorker, Report)
    /// Something ends the process, whatever it does.
    case death(SimulatedProcess, ItemFailure.Cause?, onlyIdle: Bool)
    case come(Int, count: Int, isLast: Bool)
    case collect(Int)
    case take(Int)
    case took(Int, count: Int)
    /// The process's item makes its maps.
    case nest(SimulatedProcess, serial: Int)
    /// The item that made the job hears that it is over.
    case inner(Int, hasFailed: Bool)
    /// The item that made the job closes its worker, and will hear when that is torn down.
    case closeWorker(Int, hasFailed: Bool)
    /// What was torn down apart is.
    case leaverEnds(SimulatedWorker, WorkerKey, number: Int)
    /// The item that made the job is gone.
    case leave(Int)
    /// The process's item, which has not made the job, does not wait for it any more.
    case heard(Int, SimulatedProcess)
  }

  /// What came of a simulation.
  package struct Outcome {
    package let seed: UInt64
    package let mask: SimulationMask
    /// What was broken; nil: nothing.
    package let problem: String?
    package let steps: Int
    /// What happened, if it was asked for.
    package let trace: [String]
  }

  /// The world's side of a job.
  struct JobState {
    var id: JobID?
    var position = 0
    /// What a read that is under way still has to bring.
    var demand: Int?
    /// What it has brought and nobody has taken yet.
    var come = 0
    /// Whether its next items are handed over as soon as they come.
    var isAwaited = false
    /// Since when something has been there while a slot is free.
    var liesSince: UInt64?
    var queue: ArraySlice<Int> = []
    var isTaking = false
    var taken = 0
    var isOver = false
    var hasStalledInput = false
    var hasStalledConsumer = false
    /// The process whose item has made it and waits for it.
    var maker: SimulatedProcess?
    var isLeft = false
    /// The job of the plan inside of whose items it was made; for one of the plan, itself.
    var root = 0
    /// The processes whose items wait for it, though they have not made it.
    var waiters: [SimulatedProcess] = []
  }

  /// How many steps may follow each other in which no item gets its outcome and no job ends.
  static let stepLimit = 20_000

  let seed: UInt64
  let mask: SimulationMask
  let plan: SimulationPlan
  var random: SimulatedRandom
  var dispatcher: Dispatcher
  var ledger: Ledger
  var agenda = Agenda<Event>()
  var now: UInt64 = 1_000_000
  var steps = 0
  /// The step in which an item got its outcome, or a job ended, last.
  var lastProgress = 0
  /// What is to be done of each job: those of the plan, then those that items have made.
  var plans: [JobPlan]
  var jobs: [JobState]
  /// Jobs that items wait for.
  var awaitedJobs: [Int] = []
  var plansOfJobs: [JobID: Int] = [:]
  var keys: [WorkerKey] = []
  /// Jobs for the end of whose workers their items wait, and whether those jobs have failed.
  var closings: [WorkerKey: (job: Int, hasFailed: Bool)] = [:]
  var alarm: UInt64?
  var orders: [Int: ArraySlice<Action>] = [:]
  var lastOrder: [Int: UInt64] = [:]
  var workers: [Int: SimulatedWorker] = [:]
  /// All that ever were: what they were at may hear of its maps when others are in their slots.
  var everyone: [SimulatedWorker] = []
  var isClosed = false
  /// Since when slots have been idle while chunks wait in others.
  var unsharedSince: UInt64?
  /// Slots that were said not to get a worker set up.
  var slotsWithoutSetUp: Set<Int> = []
  /// A promise that was found broken where nothing can be thrown.
  var broken: String?
  /// From which step on somebody listens to what happens.
  private let listensFrom: Int
  /// When members come and go, whatever else happens.
  private var comings: SimulatedRandom
  private var members: [PoolMember] = []
  private var isTraced = false
  private var trace: [String] = []

  package init(seed: UInt64, mask: SimulationMask = SimulationMask()) {
    self.seed = seed
    self.mask = mask
    plan = SimulationPlan(seed: seed, mask: mask)
    random = SimulatedRandom(hash: seed, 1)
    dispatcher = Dispatcher(limits: plan.limits)
    ledger = Ledger(plan)
    plans = plan.jobs
    jobs = plan.jobs.indices.map { JobState(root: $0) }
    comings = SimulatedRandom(hash: seed, 4)
    var later = SimulatedRandom(hash: seed, 3)
    listensFrom = later.chance(50) ? 0 : later.below(100)
  }

  /// Plays the schedule, to its end or to the first promise that is broken.
  package func run(trace isTraced: Bool = false) -> Outcome {
    self.isTraced = isTraced
    var problem: String?
    do {
      try play()
    } catch {
      problem = "\(error)"
    }
    return Outcome(seed: seed, mask: mask, problem: problem, steps: steps, trace: trace)
  }

  func note(_ text: @autoclosure () -> String) {
    if isTraced { trace.append("\(now / 1_000) µs  \(text())") }
  }

  private func play() throws {
    for worker in plan.workers {
      let key = dispatcher.addWorker()
      keys.append(key)
      ledger.workers[key] = Ledger.Worker(plan: worker)
    }
    try step("resize to \(plan.width)") { $0.resize(to: plan.width, now: $1) }
    for job in plan.jobs.indices where !plans[job].isDropped {
      agenda.add(.submit(job), at: now + plans[job].submitAt)
    }
    for deed in plan.deeds.indices { agenda.add(.deed(deed), at: now + plan.deeds[deed].time) }

    try playOn()
    try checkQuiescence()
    if !isClosed { try perform(random.one(of: [.shutDown, .shutDown, .drain, .terminate])) }
    try playOn()
    try checkQuiescence()
    if !ledger.isStopped {
      try ledger.check(isExcused, "the pool was shut down, nothing is under way, but it has not stopped")
      try perform(.terminate)
      try playOn()
    }
    try checkEnd()
  }

  private func playOn() throws {
    while let (time, event) = agenda.popFirst() {
      steps += 1
      try ledger.check(
        steps - lastProgress < Self.stepLimit,
        "nothing comes of steps \(lastProgress) to \(steps): something goes round in circles")
      now = max(now, time)
      ledger.now = now
      try handle(event)
      try changeMembers()
      if !awaitedJobs.isEmpty || plan.jobs.indices.contains(where: { !jobs[$0].waiters.isEmpty }) {
        endWithTheirItems()
      }
      if let broken { throw BrokenPromise(description: broken) }
    }
  }

  /// Somebody comes to work for the pool, does not any more, or brings what another has brought.
  private func changeMembers() throws {
    guard comings.chance(2), !ledger.isStopped else { return }
    if members.isEmpty || comings.chance(50) {
      let member = PoolMember(name: "\(comings.below(1 << 30))", slots: 1 + comings.below(8))
      members.append(member)
      ledger.hasToBeTold(.joined(member))
      try step("member \(member.name) joins") { $0.memberJoined(member, now: $1) }
    } else if comings.chance(20) {
      let (late, count) = (members[comings.below(members.count)].name, 1 + comings.below(4))
      ledger.hasToBeTold(.late(late, count))
      try step("member \(late) brings \(count) chunks too late") { $0.resultsLate(of: late, count: count, now: $1) }
    } else {
      let gone = members.remove(at: comings.below(members.count))
      let isLost = comings.chance(50)
      ledger.hasToBeTold(.left(gone.name, isLost: isLost))
      try step("member \(gone.name) leaves") { $0.memberLeft(gone.name, isLost: isLost, now: $1) }
    }
  }

  // MARK: Stepping the dispatcher

  /// Tells the dispatcher something, checks what it decides, and carries it out.
  func step(_ what: @autoclosure () -> String, _ event: (inout Dispatcher, UInt64) -> Void) throws {
    note(what())
    ledger.now = now
    event(&dispatcher, now)
    ledger.levels = dispatcher.levels
    for action in dispatcher.takeActions() {
      note("    → \(action.summary)")
      try route(action)
    }
    ledger.inspected = nil
    if let problem = dispatcher.problemOfSlots() { throw BrokenPromise(description: problem) }
    try checkEvents()
    try checkWorkIsShared()
    try checkNothingWaitsBehind()
    try checkNothingLies()
    try ledger.checkSetUps()
    try ledger.checkReading()
    try ledger.checkTotals()
    try ledger.checkLevels()
    let free = (0..<ledger.width).count { $0 >= ledger.slots.count || ledger.slots[$0].held.isEmpty }
    let excess = ledger.waitingJobs - free
    try ledger.check(
      dispatcher.isFull(max(0, excess)) == (excess >= 0) && !dispatcher.isFull(max(0, excess) + 1),
      "\(excess) jobs wait for a worker, and it does not know")
  }

  /// Whoever listens has heard all that belongs to this step, and what he makes of it is the pool as it is.
  private func checkEvents(always isAlways: Bool = false) throws {
    try ledger.checkEvents()
    if !ledger.told.isListening, steps >= listensFrom {
      dispatcher.isObserved = true
      ledger.listen(to: dispatcher.snapshot(now: now))
    } else if ledger.told.isListening, isAlways || steps.isMultiple(of: 8) {
      try ledger.checkPicture(dispatcher.snapshot(now: now))
    }
  }

  /// So late an alarm may be.
  private static let alarmDelay: UInt64 = 100_000

  /// While a slot is idle, chunks may wait in others only for as long as it takes to see that they are stuck.
  private func checkWorkIsShared() throws {
    let isAnyoneIdle = (0..<ledger.width).contains { slot in
      ledger.isIdle(slot) && !isSilent(slot) && !plan.faults.barrenSlots.contains(slot)
        && !slotsWithoutSetUp.contains(slot)
    }
    guard plan.limits.prefetch > 0 || plan.limits.shareTime != nil, isAnyoneIdle, ledger.hasChunksToShare else {
      return unsharedSince = nil
    }
    let since = unsharedSince ?? now
    unsharedSince = since
    // A chunk may come to several that do not begin it, one after another.
    let silence: UInt64 = plan.faults.goesSilent > 0 ? 200_000_000 : 20_000_000
    let limit = (plan.limits.shareTime ?? 0) + 32 * plan.limits.prefetchTime + 8 * plan.latency + silence
    try ledger.check(
      now - since <= limit, "a slot has been idle for \((now - since) / 1_000) µs while chunks wait in others")
  }

  /// Whether the slot's worker does not begin what it is given. It has nothing to do, but is not there for others.
  private func isSilent(_ slot: Int) -> Bool {
    workers[slot]?.processes.contains { if case .silent = $0.activity { true } else { false } } ?? false
  }

  /// What was handed ahead does not wait for long, whether somebody is idle or not: others would run what comes after it.
  private func checkNothingWaitsBehind() throws {
    ledger.noteRights()
    let hasOthers =
      (0..<ledger.width).count { !plan.faults.barrenSlots.contains($0) && !slotsWithoutSetUp.contains($0) } > 1
    guard hasOthers, !plan.hasProcessForEach, let since = ledger.waitsSince else { return }
    let limit = 16 * plan.limits.prefetchTime + 8 * plan.latency + 20_000_000
    try ledger.check(now - since <= limit, "a chunk has waited \((now - since) / 1_000) µs behind one that takes long")
  }

  /// What has come does not wait for what comes after it, while a slot could work on it, but for the time in which it may be
  /// gathered, and the alarm's delay.
  private func checkNothingLies() throws {
    let limit = plan.limits.gatherTime.map { $0 + Self.alarmDelay } ?? 0
    for job in jobs.indices {
      guard lies(job), let worker = ledger.jobs[jobs[job].id!]?.worker,
        slots(serving: plans[job].level).contains(where: {
          isFree($0, for: worker) && ledger.mayHave($0, jobs[job].id!)
        })
      else {
        jobs[job].liesSince = nil
        continue
      }
      let since = jobs[job].liesSince ?? now
      jobs[job].liesSince = since
      try ledger.check(
        now - since <= limit,
        "job \(job + 1): \(jobs[job].come) items have come, and nobody takes them though a slot is free")
    }
  }

  /// Whether items have come of the job that others could have.
  private func lies(_ job: Int) -> Bool {
    guard jobs[job].come > 0, !isOver(job), !plans[job].readsAtOnce else { return false }
    return ledger.jobs[jobs[job].id!]?.isClosedToInput == false
  }

  /// Whether the slot would take a chunk for the worker now.
  private func isFree(_ slot: Int, for worker: WorkerKey) -> Bool {
    guard ledger.isIdle(slot), slot < ledger.slots.count, ledger.slots[slot].phase == .up else { return false }
    return ledger.slots[slot].prepared.contains(worker)
  }

  private func route(_ action: Action) throws {
    try ledger.check(!ledger.isStopped || action.isOfNoAccount, "after the end: \(action.summary)")
    switch action {
    case .read(let id, let count, let largest):
      try ledger.read(id, count, largest)
      read(plansOfJobs[id]!, count)
    case .collect(let id):
      try ledger.check(ledger.jobs[id]?.reading != nil, "\(id): collects what was not asked for")
      agenda.add(.collect(plansOfJobs[id]!), at: now)
    case .deliver(let id, let segment):
      try ledger.deliver(id, segment)
      lastProgress = steps
      deliver(plansOfJobs[id]!, segment.range.count)
    case .end(let id, let end, _):
      try ledger.end(id, end)
      lastProgress = steps
      jobs[plansOfJobs[id]!].isOver = true
      outerEnds(plansOfJobs[id]!)
      if case .failed = end {
        innerEnds(plansOfJobs[id]!, hasFailed: true)
      } else {
        innerEnds(plansOfJobs[id]!, hasFailed: false)
      }
    case .release(let id): try ledger.release(id)
    case .raised(let id, let level): try raised(id, level)
    case .closed(let key):
      try ledger.closed(key)
      if let (job, hasFailed) = closings.removeValue(forKey: key) { itemHears(job, hasFailed: hasFailed) }
    case .stopped:
      try ledger.check(ledger.isEnding, "the pool has stopped, though nobody said so")
      try ledger.check(ledger.slots.allSatisfy { $0.phase == .down }, "the pool has stopped with workers in its slots")
      ledger.isStopped = true
    case .alarm(let time):
      alarm = time
      if let time { agenda.add(.alarm, at: max(now, time) + random.time(upTo: Self.alarmDelay)) }
    case .note(let event):
      if case .slotBenched(let slot, let key, _) = event.event {
        slotsWithoutSetUp.insert(slot)
        ledger.slots[slot].givenUp.insert(key)
      }
      try ledger.hears(event)
    case .start(let slot, let generation):
      try ledger.start(slot, generation)
      order(action, slot)
    case .prepare(let slot, let generation, let key):
      try ledger.prepare(slot, generation, key)
      order(action, slot)
    case .cancelSetUp(let slot, let generation, let key):
      try ledger.cancelSetUp(slot, generation, key)
      order(action, slot)
    case .run(let slot, let generation, let chunk):
      try ledger.run(slot, generation, chunk)
      order(action, slot)
    case .tearDown(let slot, let generation, let key):
      try ledger.tearDown(slot, generation, key)
      order(action, slot)
    case .tearDownApart(let slot, let generation, let key, let number):
      try ledger.tearDownApart(slot, generation, key, number)
      order(action, slot)
    case .kill(let slot, let generation):
      try ledger.kill(slot, generation)
      order(action, slot)
    case .stop(let slot, let generation):
      try ledger.stop(slot, generation)
      order(action, slot)
    case .revoke(let slot, let generation, let chunk, _):
      try ledger.revoke(slot, generation, chunk)
      order(action, slot)
    case .share(let slot, let generation, let chunk):
      try ledger.share(slot, generation, chunk)
      order(action, slot)
    case .inspect(let slot, let generation, let chunk):
      try ledger.inspect(slot, generation, chunk)
      order(action, slot)
    case .cancel(let slot, let generation, let chunk):
      try ledger.checkHeld(slot, generation, chunk, "cancel")
      order(action, slot)
    }
  }

  // MARK: The end

  /// Whether something that will never happen may keep the pool from ending.
  var isExcused: Bool {
    jobs.indices.contains { job in
      !isOver(job)
        && (jobs[job].hasStalledInput && !plans[job].isPulled
          || workers.values.contains { $0.isStalled && !$0.isUndead })
    }
  }

  func isOver(_ job: Int) -> Bool { jobs[job].id == nil || jobs[job].isOver }

  /// Nothing more will happen: then nobody may be waiting, except for what stalls without a limit.
  private func checkQuiescence() throws {
    try ledger.check(alarm == nil, "an alarm is left at \(alarm ?? 0)")
    for worker in workers.values where worker.isUndead && !worker.isDead {
      try ledger.check(
        !ledger.isLive(worker.slot, worker.generation), "slot \(worker.slot) was killed, lives, and is not given up")
    }
    let stalled = workers.values.filter { !$0.isUndead }.flatMap(\.processes).filter(\.isStalled)
    for process in stalled {
      try ledger.check(!hasLimit(process), "slot \(process.worker.slot) stalls, and nobody ends it")
    }
    for job in jobs.indices where !isOver(job) {
      let id = jobs[job].id!
      let waitsOutside = !isClosed || !plans[job].isPulled
      if waitsOutside, jobs[job].hasStalledInput || jobs[job].hasStalledConsumer {
        try ledger.check(!lies(job) || !stalled.isEmpty, "\(id): \(jobs[job].come) items wait for more to come")
        continue
      }
      try ledger.check(!stalled.isEmpty, "\(id) is not over, and nothing will happen any more")
      if plans[job].roundRobin { continue }
      try checkNobodyIsIdle(job, stalled)
    }
    for (key, worker) in ledger.workers where worker.isClosing && worker.users == 0 && !worker.isClosed {
      try ledger.check(!stalled.isEmpty, "\(key) should have been closed")
    }
    for (id, job) in ledger.jobs where job.end != nil && !job.isReleased {
      throw BrokenPromise(description: "\(id) is over, but was not released")
    }
  }

  /// Whether what the process is at has to end some time, for a limit or because nobody wants it any more.
  private func hasLimit(_ process: SimulatedProcess) -> Bool {
    if ledger.isTerminated { return true }
    func isAwaited(_ key: WorkerKey) -> Bool {
      let isLast = isClosed && jobs.indices.allSatisfy(isOver)
      return isLast || process.worker.slot >= ledger.width && ledger.levels[process.worker.slot] == nil
        || ledger.workers[key].map { $0.isAwaited && $0.users == 0 } == true
    }
    switch process.activity {
    case .preparing(let key): return ledger.workers[key]?.plan.setUpTimeout != nil || isAwaited(key)
    case .tearingDown(let key): return ledger.workers[key]?.plan.tearDownTimeout != nil || isAwaited(key)
    case .running(let run):
      let job = plansOfJobs[run.chunk.job]!
      return plans[job].itemTimeout != nil || jobs[job].isOver
    case .stopping: return true
    case .silent:
      switch process.mailbox.first {
      case .prepare(let key): return ledger.workers[key]?.plan.setUpTimeout != nil || isAwaited(key)
      case .tearDown(let key): return ledger.workers[key]?.plan.tearDownTimeout != nil || isAwaited(key)
      case .run(let chunk): return plans[plansOfJobs[chunk.job]!].itemTimeout != nil
      case .stop: return true
      case nil: return false
      }
    case .starting: return true
    case nil: return false
    }
  }

  /// Chunks may not wait behind a worker that stalls while others have nothing to do.
  private func checkNobodyIsIdle(_ job: Int, _ stalled: [SimulatedProcess]) throws {
    let id = jobs[job].id!
    let canHelp = slots(serving: plans[job].level).contains { slot in
      !awaitedJobs.contains { jobs[$0].maker?.worker.slot == slot } && !waitsOutside(slot)
        && !stalled.contains { $0.worker.slot == slot }
        && !plan.faults.barrenSlots.contains(slot)
        && !slotsWithoutSetUp.contains(slot) && !plan.faults.startlessSlots.contains(slot)
        && ledger.mayHave(slot, id)
    }
    // A suspect is tried again in its slot, and nowhere else.
    guard canHelp, !ledger.hasSuspects else { return }
    for slot in Set(stalled.map(\.worker.slot)) {
      let held = ledger.slots[slot].held
      if let first = held.first, plan.limits.shareTime != nil, first.job == id, first.range.count > 1, first.count == 1,
        held.count == 1, !ledger.slots[slot].atLast.contains(first.id)
      {
        throw BrokenPromise(
          description: "\(id): items of chunk \(first.id) wait in slot \(slot), which stalls, while others are idle")
      }
      for held in held.dropFirst() where held.job == id {
        // It may stall itself, in a process beside the first.
        if stalled.contains(where: { $0.run?.chunk.id == held.id }) { continue }
        throw BrokenPromise(
          description: "\(id): chunk \(held.id) waits behind slot \(slot), which stalls, while others are idle")
      }
    }
    for index in ledger.jobs[id]!.items.indices where ledger.isToBeRun(ledger.jobs[id]!, index) {
      throw BrokenPromise(description: "\(id): item \(index) waits while others are idle")
    }
  }

  private func checkEnd() throws {
    try ledger.check(ledger.isStopped, "the pool was ended, and nothing will happen any more, but it has not stopped")
    try ledger.check(alarm == nil, "an alarm is left after the end")
    try checkEvents(always: true)
    for (id, job) in ledger.jobs { try ledger.check(job.isReleased, "\(id) was never released") }
    for (key, worker) in ledger.workers { try ledger.check(worker.isClosed, "\(key) was never closed") }
    for (slot, worker) in workers where !worker.isDead && !worker.isUndead {
      throw BrokenPromise(description: "slot \(slot) still has a worker after the end")
    }
  }
}

extension Action {
  /// Whether it may come after the end of the pool.
  fileprivate var isOfNoAccount: Bool {
    switch self {
    case .alarm, .note: true
    default: false
    }
  }

  var summary: String {
    switch self {
    case .run(let slot, let generation, let chunk):
      "run(slot \(slot).\(generation), chunk \(chunk.id) of \(chunk.job.value): \(chunk.range), attempt \(chunk.attempt))"
    case .deliver(let id, let segment):
      switch segment.content {
      case .outputs: "deliver(\(id.value): \(segment.range))"
      case .failure(let failure): "deliver(\(id.value): \(segment.range) failed: \(failure.cause))"
      }
    default: "\(self)"
    }
  }
}
