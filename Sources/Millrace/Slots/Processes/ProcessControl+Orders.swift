import Logging
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension ProcessControl {
  func perform(_ action: Action) {
    switch action {
    case .start(let slot, let generation):
      // Processes start when there is a worker to set up: only then it is known what kind it takes.
      seats[slot] = Seat(generation: generation)
      host.step { $0.started(slot: slot, generation: generation, now: $1) }
    case .prepare(let slot, let generation, let key):
      guard let seat = seats[slot], seat.generation == generation, !seat.isBreaking, let record = host.worker(key)
      else { return }
      prepare(slot, record)
    case .run(let slot, let generation, let chunk):
      guard let lane = lane(slot, generation, for: chunk.worker), let record = lane.work.records[chunk.worker] else {
        return
      }
      send(.chunk(chunk, record), to: lane)
    case .tearDown(let slot, let generation, let key):
      guard let lane = lane(slot, generation, for: key), let record = host.worker(key) else { return }
      process(of: lane)?.child?.wake()
      lane.work.tearsDown(record)
      send(.tearDown(key), to: lane)
    case .stop(let slot, let generation):
      guard seats[slot]?.generation == generation else { return }
      seats[slot]!.isStopping = true
      KillPoint.parentStops.reach()
      for token in seats[slot]!.processes { processes[token]?.child?.wake() }
      for lane in seats[slot]!.lanes { send(.stop, to: lane) }
      leaveIfEmpty(slot)
    case .kill(let slot, let generation):
      guard let seat = seats[slot], seat.generation == generation else { return }
      seats[slot]!.isStopping = true
      // One that dies by its own doing is let to say why, if anybody is to hear it.
      for case let process? in seat.processes.map({ processes[$0] }) {
        if !process.hasMarkedItsEnd || !host.hasLiveJobs { end(process) }
      }
      leaveIfEmpty(slot)
    case .revoke(let slot, let generation, let chunk, let start):
      let lane = lane(slot, generation, holding: chunk)
      let found = lane.flatMap { lane in attempt(lane) { try lane.revoke(chunk, from: start) } }
      host.step {
        $0.revoked(slot: slot, generation: generation, chunk: chunk, from: found ?? nil, now: $1)
      }
    case .share(let slot, let generation, let chunk):
      let lane = lane(slot, generation, holding: chunk)
      let found = lane?.share(chunk) ?? .nothing
      host.step { $0.shared(slot: slot, generation: generation, chunk: chunk, found, now: $1) }
    case .cancel(let slot, let generation, let chunk):
      guard let lane = lane(slot, generation, holding: chunk) else { return }
      _ = attempt(lane) { try lane.revoke(chunk, from: 0) }
      if lane.holds(chunk) {
        if let numbers = lane.cancel(chunk) { process(of: lane)?.say(.cancel(lane: lane.number, numbers)) }
        return
      }
      // The worker has begun nothing of it, or nothing of what it had not answered.
      host.step {
        $0.finished(slot: slot, generation: generation, chunk: chunk, items: 0, elapsed: 0, now: $1)
      }
    case .inspect(let slot, let generation, let chunk):
      let lane = lane(slot, generation, holding: chunk)
      // The time of dying is not the item's.
      let isDying = lane.flatMap(process(of:))?.hasMarkedItsEnd == true
      let found = isDying ? .waiting : lane?.inspect(chunk) ?? .waiting
      host.step { $0.inspected(slot: slot, generation: generation, chunk: chunk, found, now: $1) }
    case .cancelSetUp(let slot, let generation, let key):
      guard let lane = lane(slot, generation, for: key), let number = lane.work.numberOfSetUp(key) else { return }
      process(of: lane)?.say(.cancel(lane: lane.number, number...number))
    case .tearDownApart, .read, .collect, .deliver, .end, .release, .raised, .closed, .stopped, .alarm, .note: break
    }
  }

  // MARK: Lanes

  private func lane(_ slot: Int, _ generation: Int, for key: WorkerKey) -> RemoteLane? {
    guard let seat = seats[slot], seat.generation == generation else { return nil }
    return seat.lanes.first { $0.forkedFor == key } ?? seat.lanes.first { $0.forkedFor == nil }
  }

  private func lane(_ slot: Int, _ generation: Int, holding chunk: Int) -> RemoteLane? {
    guard let seat = seats[slot], seat.generation == generation else { return nil }
    return seat.lanes.first { $0.holds(chunk) }
  }

  private func prepare(_ slot: Int, _ record: WorkerRecord) {
    let isForked = record.remote.needsFork || slots.options.start == .fork
    do {
      let lane: RemoteLane
      if !isForked, let found = seats[slot]!.lanes.first(where: { $0.forkedFor == nil }) {
        lane = found
      } else {
        lane = try openLane(slot, forkedFor: isForked ? record : nil)
      }
      KillPoint.parentPrepares.reach()
      if isForked { return send(.open(record, announcement: []), to: lane) }
      do {
        let (announcement, shared) = try lane.sharing?.collecting(record.remote.announcement) ?? ([], [])
        send(.open(record, announcement: announcement, shared: shared), to: lane)
      } catch let error as SystemError {
        setUpFailed(lane, record.key, error)
      }
    } catch {
      startFailed(slot, error)
    }
  }

  private func openLane(_ slot: Int, forkedFor record: WorkerRecord?) throws -> RemoteLane {
    let group = slot / slots.options.threadsPerProcess
    let shared = processes.values.first {
      $0.group == group && $0.forkedFor == nil && !$0.isEnding && !$0.isKilledByUs && !$0.isApart
    }
    let process: WorkerProcess
    if record == nil, let shared, !apart.contains(slot) {
      process = shared
    } else {
      process = try patiently(besides: 0) { try launch(for: slot, forkedFor: record) }
      process.isApart = record == nil && apart.remove(slot) != nil
    }
    KillPoint.parentSeats.reach()
    seats[slot]!.processes.insert(process.token)
    let generation = seats[slot]!.generation
    let lane = try patiently(besides: 1) {
      try process.addLane(
        slot: slot, generation: generation, capacity: slots.options.ringCapacity, cpus: cpus(of: slot),
        bell: slots.bell.rawValue)
    }
    lane.work.keepsFreedMemory = slots.options.keepsFreedMemory
    seats[slot]!.lanes.append(lane)
    return lane
  }

  /// Tries again what fails for want of something, where there is no other worker whose end would make room: then nobody else would try, and all maps
  /// would end. It may be there in a moment, for the program and the runtime have files open for moments, too.
  ///
  /// - Parameter own: How many processes are there for the slot itself.
  private func patiently<R>(besides own: Int, _ body: () throws -> R) throws -> R {
    for milliseconds in [1, 5, 20] as [UInt32] {
      do { return try body() } catch {
        guard processes.count <= own, (error.forUsers as? SystemError)?.isForWant == true else { throw error }
      }
      usleep(milliseconds * 1_000)
    }
    return try body()
  }

  private func cpus(of slot: Int) -> [Int32] { slots.options.cpuIDs.numbers(of: slot) ?? [] }

  /// What is left of a process that was stuck in its fork.
  private struct Remains {
    let slot: Int
    let record: WorkerRecord
    let patience: UInt64
  }

  /// A process that was forked from this one does not begin: another fork does what it was to do.
  func replaceStuck(_ token: UInt64) {
    guard let remains = endStuck(token) else { return }
    do {
      let lane = try openLane(remains.slot, forkedFor: remains.record)
      if let next = process(of: lane) {
        next.patience = remains.patience * 2
        next.serveBy = _monotonicNow() &+ next.patience
      }
      send(.open(remains.record, announcement: []), to: lane)
    } catch {
      startFailed(remains.slot, error)
    }
  }

  /// Ends it, unless it has begun meanwhile, was told to stop, or has been tried often enough: then it has died, as any may.
  ///
  /// Nothing holds the process or its lane when this returns: what they had of the system's may be all that there is for the next.
  private func endStuck(_ token: UInt64) -> Remains? {
    guard let process = processes[token] else { return nil }
    process.serveBy = nil
    guard !process.hasServed, !process.isKilledByUs, let lane = process.lanes.first, let key = process.forkedFor else {
      return nil
    }
    process.child?.kill()
    // Until it is prepared, nothing lies in the lane but what says so.
    guard let record = host.worker(key), process.patience < WorkerProcess.lastPatience, !lane.work.isToldToStop else {
      return nil
    }
    host.logger(slot: lane.slot).debug("a worker was stuck in its fork, and is replaced")
    seats[lane.slot]?.processes.remove(token)
    seats[lane.slot]?.lanes.removeAll { $0 === lane }
    process.lanes = []
    if process.child?.waitForEnd(milliseconds: 1_000) != nil {
      processes[token] = nil
      forget(process)
    } else {
      // On a machine that has much to do it is reaped later, as any.
      process.isKilledByUs = true
      process.goneBy = _monotonicNow() &+ slots.limits.endingTime
    }
    return Remains(slot: lane.slot, record: record, patience: process.patience)
  }

  /// The slot cannot have a worker: what it has is ended.
  func startFailed(_ slot: Int, _ error: any Error) {
    guard let seat = seats.removeValue(forKey: slot) else { return }
    abandon(seat, slot)
    loseIfLost()
    host.step { $0.startFailed(slot: slot, generation: seat.generation, error, now: $1) }
  }

  /// Ends what a slot's worker consisted of.
  func abandon(_ seat: Seat, _ slot: Int) {
    for token in seat.processes {
      guard let process = processes[token] else { continue }
      if isOf(slot, process) { end(process) }
    }
  }

  /// Whether the process serves no other slot.
  func isOf(_ slot: Int, _ process: WorkerProcess) -> Bool {
    process.forkedFor != nil || process.lanes.allSatisfy { $0.slot == slot }
  }

  func send(_ request: RemoteLane.Request, to lane: RemoteLane) {
    _ = attempt(lane) { try lane.send(request, announce: announcer(lane)) }
    if case .stop = request, let process = process(of: lane) { endWithLanes(process) }
  }

  /// Tells a process whose lanes have all been told to stop that nothing more comes: it ends by itself when they have.
  private func endWithLanes(_ process: WorkerProcess) {
    guard !process.isEnding, process.lanes.allSatisfy(\.work.isToldToStop) else { return }
    process.isEnding = true
    try? process.tell(.end)
  }

  private func announcer(_ lane: RemoteLane) -> (UInt32, Int32) throws -> Void {
    { [self] id, descriptor in
      guard let process = process(of: lane) else { return }
      try process.tell(.segment(lane: lane.number, id: id), [descriptor])
    }
  }

  func process(of lane: RemoteLane) -> WorkerProcess? {
    processes.values.first { process in process.lanes.contains { $0 === lane } }
  }

  /// Does something with a lane; a worker that has broken the protocol is ended.
  private func attempt<R>(_ lane: RemoteLane, _ body: () throws -> R) -> R? {
    do {
      return try body()
    } catch let error as RemoteLane.Unsendable {
      cannotSend(error, lane)
      return nil
    } catch let error as RemoteLane.Unopenable {
      setUpFailed(lane, error.key, error.reason.forUsers)
      return nil
    } catch {
      if let process = process(of: lane) { broke(process, error, by: lane) }
      return nil
    }
  }

  /// This program has not what it takes to send a worker: its set-up has failed, and nothing else.
  private func setUpFailed(_ lane: RemoteLane, _ key: WorkerKey, _ error: any Error) {
    host.step { $0.prepareFailed(slot: lane.slot, generation: lane.generation, key, error, now: $1) }
  }

  /// There is no memory for a chunk: its first item has failed, the others are cut anew.
  private func cannotSend(_ error: RemoteLane.Unsendable, _ lane: RemoteLane) {
    let chunk = error.chunk
    let cause = ItemFailure.Cause.undecodable(error.reason.forUsers)
    let retryable = host.isRetryable(chunk, error.index, lane.slot, cause)
    host.step {
      $0.itemFailed(
        slot: lane.slot, generation: lane.generation, chunk: chunk.id, cause, retryable: retryable, now: $1)
      $0.finished(slot: lane.slot, generation: lane.generation, chunk: chunk.id, items: 0, elapsed: 0, now: $1)
    }
  }

  /// The worker said what cannot be, or cannot be spoken with any more: its own life is forfeit, nobody else's.
  func broke(_ process: WorkerProcess, _ error: any Error, by lane: RemoteLane? = nil) {
    let isNonsense = error is ProtocolError || error is WireProblem
    let deed = isNonsense ? "broke the protocol" : "cannot be spoken with any more,"
    let slot = (lane ?? process.lanes.first)?.slot ?? process.group * slots.options.threadsPerProcess
    host.logger(slot: slot).error("a worker \(deed) and is ended: \(error)")
    process.problem = error
    process.child?.kill()
  }

  // MARK: Answers

  /// Keeps an event for the dispatcher until all answers that are there were read: one step, one lock for all.
  func tell(_ event: @escaping RemoteNews.Event) { news.add(event) }

  /// Steps the dispatcher with what the answers said.
  func stepWithNews() { news.tell(host) }

  /// Takes in what the process's lanes have said; whether there was anything.
  func receive(_ process: WorkerProcess) -> Bool {
    var hasNews = false
    process.sayMore()
    for lane in process.lanes {
      do {
        while let answer = try process.sharing.within(
          lane: lane.number, { try lane.next { _ = try process.fetchNews() } })
        {
          hasNews = true
          KillPoint.parentHasAnswer.reach()
          handle(answer, lane, process)
        }
        stepWithNews()
        try lane.sendWaiting(announce: announcer(lane))
      } catch let error as RemoteLane.Unsendable {
        hasNews = true
        cannotSend(error, lane)
      } catch let error as RemoteLane.Unopenable {
        hasNews = true
        setUpFailed(lane, error.key, error.reason.forUsers)
      } catch {
        stepWithNews()
        broke(process, error, by: lane)
        process.lanes.forEach { $0.isBroken = true }
      }
    }
    return hasNews
  }

  func handle(_ answer: RemoteAnswer, _ lane: RemoteLane, _ process: WorkerProcess) {
    switch answer {
    case .openFailed, .tornDown:
      if lane.forkedFor != nil { send(.stop, to: lane) }
    case .stopped:
      stepWithNews()
      return laneStopped(lane, process)
    case .opened, .outputs, .mixed, .itemFailed, .failedThere, .done: break
    }
    news.add(answer, slot: lane.slot, generation: lane.generation, to: host)
    switch answer {
    case .done(let sent, _, _, _, _): process.sharing.ended(lane: lane.number, upTo: sent.lastNumber)
    case .openFailed, .tornDown: process.sharing.ended(lane: lane.number, upTo: .max)
    default: break
    }
  }

  private func laneStopped(_ lane: RemoteLane, _ process: WorkerProcess) {
    process.lanes.removeAll { $0 === lane }
    if process.lanes.isEmpty { endWithLanes(process) }
    guard seats[lane.slot]?.generation == lane.generation else { return }
    seats[lane.slot]?.lanes.removeAll { $0 === lane }
    if !process.lanes.isEmpty {
      seats[lane.slot]?.processes.remove(process.token)
      leaveIfEmpty(lane.slot)
    }
  }

  /// Says that the slot is empty, when it was told to stop and everything of it has gone.
  func leaveIfEmpty(_ slot: Int) {
    guard let seat = seats[slot], seat.isStopping || seat.isBreaking, seat.processes.isEmpty else { return }
    seats[slot] = nil
    tell { $0.died(slot: slot, generation: seat.generation, seat.death, now: $1) }
    stepWithNews()
  }
}
