import MillraceIPC
import Synchronization

/// The slots of the backends that live in this process: threads of their own, Swift tasks, or the caller.
package final class LocalSlots: Slots {
  private struct State {
    var lanes = Registry<Int, LocalLane>()
    var starts: [LocalLane] = []
    var wakes: [LocalLane] = []
    var kills: [LocalLane] = []
    var cancels: [ItemTask] = []
    var leavers: [(lane: LocalLane, leaver: LocalLane.Leaver)] = []
    var dropped: [(lane: LocalLane, chunk: Int, revoked: Bool?)] = []
    var shared: [(lane: LocalLane, chunk: Int, found: Sharing)] = []
    var inspections: [(lane: LocalLane, chunk: Int)] = []
  }

  let kind: LocalBackend.Kind
  /// What was given up and runs on.
  private let runaways: Runaways
  private let state = Lock(State())
  private let isPending = Atomic(false)
  private weak let host: (any SlotHost)?
  // Sound: set here, and constant then.
  @exclusivity(unchecked) nonisolated(unsafe) package private(set) var driver: (any CallerDriver)?

  init(_ kind: LocalBackend.Kind, host: any SlotHost) {
    self.kind = kind
    self.host = host
    runaways = Runaways(logger: host.logger)
    if case .serial = kind { driver = SerialDriver(self) }
  }

  package func accept(_ action: Action) {
    state.withLock { state in
      switch action {
      case .start(let slot, let generation):
        guard let host else { return }
        // From here on it can be killed, also by somebody who comes between this and its start.
        let executor: LaneThread? = if case .threads = kind { LaneThread() } else { nil }
        let lane = LocalLane(
          host: host, runaways: runaways, slot: slot, generation: generation, executor: executor,
          ofOtherLevels: handOver(to: slot))
        state.lanes[slot] = lane
        state.starts.append(lane)
      case .prepare(let slot, _, let key): post(.prepare(key), slot, &state)
      case .run(let slot, _, let chunk): post(.run(chunk), slot, &state)
      case .tearDown(let slot, _, let key): post(.tearDown(key), slot, &state)
      case .tearDownApart(let slot, _, let key, let number):
        if let lane = state.lanes[slot] { state.leavers.append((lane, lane.takeOut(key, number))) }
      case .stop(let slot, _): post(.stop, slot, &state)
      case .kill(let slot, let generation):
        if let lane = state.lanes[slot], lane.generation == generation { state.kills.append(lane) }
      case .revoke(let slot, _, let chunk, _):
        if let lane = state.lanes[slot] {
          state.dropped.append((lane, chunk, lane.drop(chunk)))
        }
      case .share(let slot, _, let chunk):
        if let lane = state.lanes[slot] { state.shared.append((lane, chunk, lane.share(chunk))) }
      case .cancel(let slot, _, let chunk):
        guard let lane = state.lanes[slot] else { break }
        if lane.drop(chunk) { state.dropped.append((lane, chunk, nil)) }
        if let task = lane.abandon(chunk) { state.cancels.append(task) }
      case .cancelSetUp(let slot, let generation, let key):
        if let lane = state.lanes[slot], lane.generation == generation, let task = lane.abandonSetUp(of: key) {
          state.cancels.append(task)
        }
      case .inspect(let slot, _, let chunk):
        if let lane = state.lanes[slot] { state.inspections.append((lane, chunk)) }
      default: return
      }
      let quiet =
        state.starts.isEmpty && state.wakes.isEmpty && state.kills.isEmpty && state.cancels.isEmpty
        && state.leavers.isEmpty && state.dropped.isEmpty && state.inspections.isEmpty && state.shared.isEmpty
      if !quiet { isPending.store(true, ordering: .releasing) }
    }
  }

  package func untold(of job: JobID) -> Int {
    let lanes = state.withLock { Array($0.lanes.values) }
    return lanes.reduce(0) { $0 + $1.untold(of: job) }
  }

  private func post(_ command: LocalLane.Command, _ slot: Int, _ state: inout State) {
    guard let lane = state.lanes[slot] else { return }
    if lane.post(command) { state.wakes.append(lane) }
  }

  package func flush() {
    while isPending.exchange(false, ordering: .acquiringAndReleasing) {
      let pending = state.withLock { state in
        let pending = state
        state = State(lanes: state.lanes)
        return pending
      }
      for lane in pending.wakes { lane.wake() }
      for lane in pending.kills { lane.kill() }
      for task in pending.cancels { task.cancel() }
      for (lane, leaver) in pending.leavers { lane.tearDownApart(leaver) }
      for lane in pending.starts { start(lane) }
      for (lane, chunk, revoked) in pending.dropped {
        host?.step { dispatcher, now in
          if let revoked {
            // Of these slots none holds more than one chunk: it is given back whole or not at all.
            dispatcher.revoked(
              slot: lane.slot, generation: lane.generation, chunk: chunk, from: revoked ? 0 : nil, now: now)
          } else {
            dispatcher.finished(
              slot: lane.slot, generation: lane.generation, chunk: chunk, items: 0, elapsed: 0, now: now)
          }
        }
      }
      for (lane, chunk, found) in pending.shared {
        host?.step { $0.shared(slot: lane.slot, generation: lane.generation, chunk: chunk, found, now: $1) }
      }
      for (lane, chunk) in pending.inspections {
        let found = lane.running(chunk).map { Inspection.item($0.index, since: $0.since) } ?? .waiting
        host?.step {
          $0.inspected(slot: lane.slot, generation: lane.generation, chunk: chunk, found, now: $1)
        }
      }
    }
  }

  private func start(_ lane: LocalLane) {
    let (host, slot, generation) = (lane.host, lane.slot, lane.generation)
    let ended: @Sendable () -> Void = { [weak self] in self?.ended(lane) }
    switch kind {
    case .serial: break
    case .tasks: lane.start(atEnd: ended)
    case .threads(let cpuIDs):
      guard let thread = lane.executor as? LaneThread else { return }
      do {
        try startThread("millrace-\(slot)", cpus: cpuIDs.numbers(of: slot)) {
          [weak self] in
          lane.lost()
          self?.forget(lane)
        } _: {
          thread.run()
          ended()
        }
      } catch {
        forget(lane)
        host.step { $0.startFailed(slot: slot, generation: generation, error, now: $1) }
        return
      }
      lane.start(atEnd: thread.end)
    }
    host.step { $0.started(slot: slot, generation: generation, now: $1) }
  }

  private func forget(_ lane: LocalLane) {
    state.withLock { state in
      if state.lanes[lane.slot] === lane { state.lanes[lane.slot] = nil }
    }
  }

  private func ended(_ lane: LocalLane) {
    forget(lane)
    // Whoever writes a lane off tells of its death, and what it was at. This may be sooner.
    if lane.isDead { return }
    host?.step {
      $0.died(slot: lane.slot, generation: lane.generation, Death(running: nil, cause: nil), now: $1)
    }
  }

  /// Whether a slot of a serial pool has anything to do.
  func hasWork(_ slot: Int) -> Bool { state.withLock { $0.lanes[slot] }?.hasWork == true }

  /// In a serial pool: gives a slot the instance of a stage that a slot of another level has, whose items wait for the stage's. Those are
  /// not run there any more.
  private func handOver(to slot: Int) -> (@Sendable (WorkerKey) -> LocalLane.Leaver?)? {
    guard driver != nil else { return nil }
    return { [weak self] key in
      for lane in self?.state.withLock({ Array($0.lanes.values) }) ?? [] where lane.slot != slot {
        let found = lane.takeOut(key, 0)
        if found.instance != nil { return found }
      }
      return nil
    }
  }

  /// Does what a slot of a serial pool has to do, up to what runs anybody's code; whether there is any.
  func doErrands(_ slot: Int) async -> Bool {
    while let lane = state.withLock({ $0.lanes[slot] }) {
      guard let command = lane.nextPlain() else { return lane.hasWork }
      if await !lane.execute(command) { ended(lane) }
    }
    return false
  }

  /// Runs what a slot of a serial pool has to do: the items of the caller's own job in the calling task.
  ///
  /// One chunk of others', and no more: they may have chunks for ever, while the caller's own input waits to be read, or its outcomes
  /// are there.
  func runInCaller(_ slot: Int, _ job: JobRecord?) async {
    var hasWorkedForOthers = false
    while let lane = state.withLock({ $0.lanes[slot] }),
      let command = lane.next(ofOthersThan: job?.id, !hasWorkedForOthers)
    {
      var goesOn = true
      if case .run(let chunk) = command, let job {
        if chunk.job == job.id {
          await lane.runRow(chunk, job.place)
        } else {
          hasWorkedForOthers = true
          goesOn = await lane.executeApart(command)
        }
      } else {
        goesOn = await lane.executeApart(command)
      }
      // Another may be in its place by now, so it is ended here.
      if goesOn, lane.isDead { goesOn = await lane.executeApart(.stop) }
      if !goesOn { ended(lane) }
    }
  }

  package func close(then: @escaping @Sendable () -> Void) {
    runaways.close()
    then()
  }

  package func validate(_ worker: WorkerRecord, _ options: MapOptions) throws {
    if let memory = options.lifespan.memory {
      throw InvalidOption(
        name: "lifespan.memory", value: "\(memory)",
        allowed: "nil here, for threads and tasks share their memory: use a pool of worker processes")
    }
    if case .serial = kind, let limit = options.nextTimeout {
      throw InvalidOption(
        name: "nextTimeout", value: "\(limit)",
        allowed:
          "nil in a serial pool, where whoever asks for a result does the work for it: use timeouts.total, or another backend"
      )
    }
  }
}
