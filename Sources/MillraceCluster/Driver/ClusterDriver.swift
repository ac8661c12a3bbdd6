import Logging
import Millrace
import MillraceIPC

/// The driver of a job: what is between the pool's slots and the queue.
///
/// ```
///   seats ─accept, send─▶ [accepted] ─pack─▶ [unsent] ─▶ submitting ─▶ queue
///     ▲                                                                  │
///     └── answered, by ticket ◀── receiving ◀────────────────────────────┘   watching: presence, members, what is missing
/// ```
///
/// Whatever is out is kept here until its result has come: it is the lasting copy. A queue that has forgotten everything gets it again,
/// in order, by the one task that submits.
final class ClusterDriver: Sendable {
  struct Options: Sendable {
    /// How often an item may be begun by agents that are lost, before it is not run any more.
    var maximumLosses = 3
    /// How long agents are waited for.
    var patience: Duration = .seconds(30)
    /// Whether another program could find the job.
    var hasName = false
  }

  enum Phase {
    case idle, opening, up, ended
    /// For all that was under way: each slot is told. The next map is tried for again.
    case failed(any Error)
  }

  /// What the queue has as one: a chunk, or several short ones that go to the same agent.
  struct Outstanding {
    let tickets: [ClusterTicket]
    let bytes: [UInt8]
    let since: UInt64
  }

  struct State {
    var phase = Phase.idle
    /// How often it was begun.
    var run = 0
    /// Whether the queue knows the job.
    var isKnown = false
    /// Taking it over.
    var opening: Task<UInt64, any Error>?
    /// Runs that are complete: nobody will go on with them.
    var completeRuns: Set<String> = []
    /// Runs that somebody takes outcomes of.
    var runsUnderWay: Set<String> = []
    /// Nil: none was given out yet.
    var nextID: UInt64?
    /// Chunks that have no number yet.
    var accepted = FIFO<ClusterTicket>()
    /// How many chunks have no answer.
    var unanswered = 0
    /// Nanoseconds; nil: none has been answered.
    var chunkTime: UInt64?
    var outstanding: [UInt64: Outstanding] = [:]
    /// Numbers that were not submitted, in order.
    var unsent = FIFO<UInt64>()
    var withdrawn: [UInt64] = []
    /// What a driver before this one has called a worker may be another: agents may outlive their driver.
    let firstWorker = Int.random(in: 1..<1 << 40) << 20
    var announcements: [Int: [UInt8]] = [:]
    var unannounced: [Int] = []
    /// Those of the last map that has used the worker.
    var setUpTimeouts: [WorkerKey: Duration] = [:]
    var hasToOpen = false
    /// How often the queue had forgotten something.
    var reopenings = 0
    /// Who waits for an agent.
    var waiting: [ClusterSeat] = []
    /// Results are being handed on: what their slots are given next goes out together.
    var isReceiving = false
    var seats: [ObjectIdentifier: ClusterSeat] = [:]
    var members: [String: Member] = [:]
    /// How many results of each agent came too late, as far as that was told.
    var lateResults: [String: Int] = [:]
    /// Agents that may not have work, and why; they do not stay.
    var refused: [String: String] = [:]
    /// Agents that were to finish what they have, and end.
    var drained: Set<String> = []
    /// Since when nobody is there.
    var aloneSince: UInt64?
    var hasSaidThatItWaits = false
    /// Which agents could not have a worker, and why.
    var unfit: [WorkerKey: [String: any Error]] = [:]
    /// Workers that no agent could have: told to each slot that asks, until there is another map, or another agent.
    var hopeless: [WorkerKey: any Error] = [:]
    var tasks: [Task<Void, Never>] = []

    func isOver(_ run: Int) -> Bool {
      switch phase {
      case .ended, .failed, .idle: true
      case .opening, .up: self.run != run
      }
    }

    /// Numbers what was accepted. Short chunks go together: what one on its way costs is shared by them.
    mutating func pack() {
      let slots = members.values.reduce(0) { $0 + ($1.refusal.isEmpty ? $1.slots : 0) }
      let together = ClusterTicket.together(of: unanswered, for: slots, each: chunkTime)
      while let first = accepted.popFirst() {
        var (tickets, bytes) = ([first], first.bytes)
        while tickets.count < together, let next = accepted.first, next.goes(with: first),
          bytes.count + next.bytes.count <= ClusterTicket.parcelSize
        {
          bytes += next.bytes.dropFirst(ChunkOrder.headSize)
          tickets.append(next)
          _ = accepted.popFirst()
        }
        let id = nextID ?? 1
        nextID = id + 1
        for ticket in tickets { ticket.number = id }
        outstanding[id] = Outstanding(tickets: tickets, bytes: bytes, since: MonotonicTime.now)
        unsent.append(id)
      }
    }

    /// Nil, if nobody has it, or it is known.
    mutating func takeOut(_ id: UInt64) -> Outstanding? {
      guard let out = outstanding.removeValue(forKey: id) else { return nil }
      unanswered -= out.tickets.reduce(0) { $0 + ($1.isWithdrawn ? 0 : 1) }
      return out
    }

    /// The queue knows what was submitted up to this, and nothing else.
    mutating func submitAgain(behind last: UInt64) {
      hasToOpen = false
      unannounced = announcements.keys.sorted()
      unsent.removeAll()
      for id in outstanding.keys.sorted() where id > last { unsent.append(id) }
    }
  }

  let options: Options
  let engine: any WorkEngine
  let launcher: any AgentLauncher
  let logger: Logger
  let state = Lock(State())
  private let news = TaskBell()
  /// There are results that were taken.
  private let taken = TaskBell()
  /// Hears of members.
  weak let host: (any SlotHost)?

  init(
    _ engine: any WorkEngine, _ launcher: any AgentLauncher, _ options: Options, for host: any SlotHost
  ) {
    (self.engine, self.launcher, self.options, self.host) = (engine, launcher, options, host)
    logger = host.logger
  }

  // MARK: For the seats

  func start(_ seat: ClusterSeat) {
    let phase = state.withLock { state in
      state.seats[ObjectIdentifier(seat)] = seat
      switch state.phase {
      case .idle:
        begin(&state)
        state.waiting.append(seat)
      case .opening: state.waiting.append(seat)
      case .up, .ended, .failed: break
      }
      return state.phase
    }
    switch phase {
    case .up: seat.started()
    case .ended: seat.startFailed(EngineError.lost)
    case .failed(let error): seat.startFailed(error)
    case .idle, .opening: break
    }
  }

  /// There is another map: what kept those before it may have passed.
  func isAskedAgain(_ worker: WorkerKey, setUpTimeout: Duration?) {
    let errors = state.withLock { state in
      if case .failed = state.phase { state.phase = .idle }
      state.setUpTimeouts[worker] = setUpTimeout
      return (state.hopeless.removeValue(forKey: worker), state.unfit.removeValue(forKey: worker))
    }
    // They may be the user's, and are let go of behind the lock.
    withExtendedLifetime(errors) {}
  }

  /// How long an agent may take to set the worker up.
  func setUpTimeout(_ worker: WorkerKey) -> Duration? { state.withLock { $0.setUpTimeouts[worker] } }

  func left(_ seat: ClusterSeat) { _ = state.withLock { $0.seats.removeValue(forKey: ObjectIdentifier(seat)) } }

  /// Sees to it that agents can have the worker; throws if none can.
  func announce(_ record: WorkerRecord) throws {
    let number = announced(record.key)
    let (isKnown, hopeless) = state.withLock { state in
      (state.announcements[number] != nil, state.hopeless[record.key])
    }
    if let hopeless { throw hopeless }
    if isKnown { return }
    let announcement = try WorkerParcel.pack(record.remote)
    state.withLock { state in
      state.announcements[number] = announcement
      state.unannounced.append(number)
    }
  }

  func isHopeless(_ worker: WorkerKey) -> Bool { state.withLock { $0.hopeless[worker] != nil } }

  func accept(_ bytes: [UInt8], frames: Int, for seat: ClusterSeat) -> ClusterTicket {
    let ticket = ClusterTicket(seat, bytes, frames: frames)
    state.withLock { state in
      state.unanswered += 1
      state.accepted.append(ticket)
    }
    return ticket
  }

  func send() { if !state.withLock({ $0.isReceiving }) { news.ring() } }

  /// Nobody wants its result any more.
  func withdraw(_ ticket: ClusterTicket) {
    let gone: Outstanding? = state.withLock { state in
      guard !ticket.isWithdrawn else { return nil }
      ticket.isWithdrawn = true
      guard let id = ticket.number else {
        state.unanswered -= state.accepted.extract { $0 === ticket }.count
        return nil
      }
      guard let out = state.outstanding[id] else { return nil }
      state.unanswered -= 1
      // Others that are on their way with it are wanted.
      guard out.tickets.allSatisfy(\.isWithdrawn) else { return nil }
      state.outstanding[id] = nil
      state.withdrawn.append(id)
      return out
    }
    // Its seats may be nobody else's any more, and they have workers of the user's: they are let go of behind the lock.
    withExtendedLifetime(gone) {}
    news.ring()
  }

  /// The agent cannot have the worker. When none can, whoever needs it is told.
  func hasNoWorker(_ key: WorkerKey, _ error: any Error, _ agent: String) {
    logger.warning("an agent cannot have a worker: \(error)", metadata: ["agent": "\(agent)"])
    let before: [any Error] = state.withLock { state in
      let last = state.unfit[key, default: [:]].updateValue(error, forKey: agent).map { [$0] } ?? []
      let fit = state.members.values.filter { $0.isAlive && $0.refusal.isEmpty && state.unfit[key]?[$0.name] == nil }
      guard fit.isEmpty else { return last }
      let unfit = state.unfit.removeValue(forKey: key) ?? [:]
      let cause = (error as? WorkerPoolError)?.underlying ?? error
      let hopeless = state.hopeless.updateValue(cause, forKey: key).map { [$0] } ?? []
      return last + Array(unfit.values) + hopeless
    }
    // They may be the user's, and are let go of behind the lock.
    withExtendedLifetime(before) {}
  }

  // MARK: The job

  /// At once with the new phase: what is left of the run before sees that it is over.
  private func begin(_ state: inout State) {
    state.phase = .opening
    state.run += 1
    let (run, before) = (state.run, state.tasks.last)
    state.tasks.append(
      Task {
        await before?.value
        await self.work(run)
      })
  }

  /// Takes the job over, for whoever asks first; for all others it is the same.
  ///
  /// - Returns: the last id that the queue knows.
  @discardableResult
  func open() async throws -> UInt64 {
    let opening = state.withLock { state in
      let opening = state.opening ?? Task { [engine] in try await engine.open(Manifest().bytes) }
      state.opening = opening
      return opening
    }
    let result = await withTaskCancellationHandler {
      await opening.result
    } onCancel: {
      opening.cancel()
    }
    state.withLock { state in
      if state.opening == opening { state.opening = nil }
      guard case .success(let last) = result else { return }
      // Agents may be at work of a driver that is gone, which the queue has forgotten: that is not to have the number of any of ours.
      state.nextID = max(state.nextID ?? last + .random(in: 1...1 << 40), last + 1)
      state.isKnown = true
    }
    return try result.get()
  }

  private func work(_ run: Int) async {
    do {
      let last = try await open()
      state.withLock { state in if run > 1 { state.submitAgain(behind: last) } }
      try await launcher.launch(logger: logger)
    } catch {
      return fail(error, run)
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await self.submitting(run) }
      group.addTask { await self.receiving(run) }
      group.addTask { await self.settling(run) }
      group.addTask { await self.watching(run) }
    }
  }

  func isOver(_ run: Int) -> Bool { state.withLock { $0.isOver(run) } }

  /// It cannot go on: no slot has a worker, or gets one.
  func fail(_ error: any Error, _ run: Int) {
    let (waiting, seats) = state.withLock { state -> ([ClusterSeat], [ClusterSeat]) in
      if state.isOver(run) { return ([], []) }
      state.phase = .failed(error)
      state.aloneSince = nil
      state.hasSaidThatItWaits = false
      state.refused = [:]
      defer { state.waiting = [] }
      let waiting = state.waiting
      return (waiting, state.seats.values.filter { seat in !waiting.contains { $0 === seat } })
    }
    news.ring()
    taken.ring()
    guard !waiting.isEmpty || !seats.isEmpty else { return }
    logger.error("the cluster cannot go on: \(error)")
    for seat in waiting { seat.startFailed(error) }
    for seat in seats { seat.die() }
  }

  /// The pool is over: ends the job, and everybody who works for it.
  func end() async {
    let tasks = state.withLock { state in
      state.phase = .ended
      return state.tasks
    }
    news.ring()
    taken.ring()
    for task in tasks { task.cancel() }
    await engine.interrupt()
    let isSaid = await Farewell.say {
      for task in tasks { await task.value }
      await self.finish()
    }
    if !isSaid { logger.warning("the job could not be ended in the queue, which does not answer") }
    await launcher.end(Set(state.withLock { $0.members }.keys))
    await engine.close()
  }

  private func finish() async {
    guard state.withLock({ $0.isKnown }) else { return }
    // Cancelled: it is tried once, whoever is there.
    let finish = Task { [engine, logger, state] in
      do {
        for run in state.withLock({ $0.completeRuns }) { try await engine.forget(run) }
        try await engine.finish()
      } catch { logger.warning("the job could not be ended in the queue: \(error)") }
    }
    finish.cancel()
    await finish.value
  }

  // MARK: Submitting

  private func submitting(_ run: Int) async {
    while !isOver(run) {
      do {
        if state.withLock({ $0.hasToOpen }) { try await reopen() }
        guard try await submitSome() else {
          await news.waitForRing()
          continue
        }
      } catch EngineError.lost {
        state.withLock { $0.hasToOpen = true }
      } catch {
        // The engine has been patient with a queue that cannot be reached, and it will say the same of what it refuses.
        return fail(error, run)
      }
    }
  }

  /// Whether there was something to submit.
  private func submitSome() async throws -> Bool {
    let (unannounced, withdrawn, work) = state.withLock { state in
      state.pack()
      var work: [Work] = []
      var bytes = 0
      for id in state.unsent.elements.prefix(64) where bytes < 4 << 20 {
        guard let out = state.outstanding[id] else { continue }
        work.append(Work(id: id, bytes: out.bytes))
        bytes += out.bytes.count
      }
      return (state.unannounced, state.withdrawn, work)
    }
    for key in unannounced {
      guard let announcement = state.withLock({ $0.announcements[key] }) else { continue }
      try await engine.announce(key, announcement)
      state.withLock { state in state.unannounced.removeAll { $0 == key } }
    }
    if !work.isEmpty { try await engine.submit(work) }
    let last = work.last?.id ?? 0
    if !withdrawn.isEmpty { try await engine.cancel(withdrawn) }
    state.withLock { state in
      while let id = state.unsent.first, id <= last || state.outstanding[id] == nil { _ = state.unsent.popFirst() }
      state.withdrawn.removeFirst(withdrawn.count)
    }
    return !unannounced.isEmpty || !work.isEmpty || !withdrawn.isEmpty
  }

  /// The queue has forgotten the job: it gets everything again that is out.
  private func reopen() async throws {
    let last = try await engine.open(Manifest().bytes)
    logger.warning("the queue had forgotten the job, or a part of it, and gets again what is out")
    state.withLock { state in
      state.submitAgain(behind: last)
      state.reopenings += 1
    }
  }

  // MARK: Receiving

  private func receiving(_ run: Int) async {
    while !isOver(run) {
      do {
        let results = try await engine.results(upTo: 256, within: .milliseconds(500))
        guard !results.isEmpty else { continue }
        taken.ring()
        receive(results)
      } catch EngineError.lost {
        askToOpen()
        try? await Task.sleep(for: .milliseconds(50))
      } catch {
        return fail(error, run)
      }
    }
  }

  /// Says what was taken, while the next results are on their way.
  private func settling(_ run: Int) async {
    while !isOver(run) {
      await taken.waitForRing()
      if isOver(run) { return }
      do { try await engine.settle() } catch EngineError.lost { askToOpen() } catch { return fail(error, run) }
    }
  }

  private func receive(_ results: [WorkResult]) {
    state.withLock { $0.isReceiving = true }
    var begun = MonotonicTime.now
    for result in results {
      receive(result)
      let now = MonotonicTime.now
      // Outputs are decoded by the user's code, which may take its time.
      guard now &- begun > ClusterTicket.parcelTime else { continue }
      begun = now
      news.ring()
    }
    state.withLock { $0.isReceiving = false }
    news.ring()
  }

  private func receive(_ result: WorkResult) {
    guard let out = state.withLock({ $0.takeOut(result.id) }) else { return }
    do {
      let answers = try ClusterTicket.parts(of: ChunkAnswer(bytes: result.bytes), frames: out.tickets.map(\.frames))
      if let time = answers.lazy.compactMap(\.time).first {
        state.withLock { state in state.chunkTime = state.chunkTime.map { ($0 &* 3 &+ time) / 4 } ?? time }
      }
      for (ticket, answer) in zip(out.tickets, answers) { ticket.seat.answered(ticket, answer, by: result.agent) }
    } catch {
      logger.error("an agent's answer makes no sense: \(error)", metadata: ["agent": "\(result.agent)"])
      for ticket in out.tickets { ticket.seat.die() }
    }
  }

  /// The run has come to its end: with the job, it is forgotten.
  func isComplete(_ run: String) { state.withLock { _ = $0.completeRuns.insert(run) } }

  /// It is begun, or goes on. False: it is under way already.
  func isBegun(_ run: String) -> Bool {
    state.withLock { state in
      guard state.runsUnderWay.insert(run).inserted else { return false }
      state.completeRuns.remove(run)
      return true
    }
  }

  /// Nobody takes outcomes of it any more.
  func isLeft(_ run: String) { state.withLock { _ = $0.runsUnderWay.remove(run) } }

  /// How often the queue had forgotten something. What is noted there of a run may be gone with it.
  var reopenings: Int { state.withLock { $0.reopenings } }

  /// What an agent finds a worker by.
  func announced(_ worker: WorkerKey) -> Int { state.withLock { $0.firstWorker } + worker.value }

  /// The queue has forgotten the job.
  func askToOpen() {
    state.withLock { $0.hasToOpen = true }
    news.ring()
  }
}
