import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension ProcessControl {
  /// A process is gone: what it had made is kept, who ran is to blame, the rest is given to others.
  func died(_ process: WorkerProcess, _ exit: ProcessExit) {
    KillPoint.parentSeesDeath.reach()
    stepWithNews()
    readErrors(process)
    process.errorLines.finish { log($0, process) }
    processes[process.token] = nil
    forget(process)
    let lanes = process.lanes
    process.lanes = []

    let reports = lanes.map { CrashReport(at: UnsafeRawPointer($0.lane.crashRecord)) }
    var found: [Int?] = []
    for lane in lanes {
      let left = lane.isBroken ? (answers: [], running: lane.suspect?.chunk.id) : salvaged(lane, process, lanes)
      for answer in left.answers { handle(answer, lane, process) }
      stepWithNews()
      found.append(left.running)
    }
    let blame = Blame(process, zip(lanes, zip(reports, found)).map { ($0, $1.0, $1.1) })
    for (lane, (report, running)) in zip(lanes, zip(reports, found)) {
      // It had ended in good order, and so did the process.
      if lane.work.hasStopped { continue }
      guard let seat = seats[lane.slot], seat.generation == lane.generation else { continue }
      var errors = process.standardError(since: lane, of: lanes.count)
      let isStuck = isStuck(process, exit, errors)
      let isForgiven = isStuck && mayTryAgain(lane, running)
      let isGuilty = blame.isGuilty(lane, isEnded: seat.isStopping) && !isForgiven
      if isStuck, isGuilty { errors += Self.stuckText }
      let cause: ItemFailure.Cause? =
        isGuilty ? cause(exit, report ?? blame.report, process, errors).inPart(lane.part) : nil
      if isGuilty, blame.suspects > 1 || process.isApart { apart.insert(lane.slot) }
      var death = seat.death
      if isGuilty || !seat.isBreaking { death.cause = cause }
      // It was on its way out before it was told to go.
      death.isOwn = report != nil && !isForgiven && !process.isKilledByUs && seat.processes.count == 1
      var item: (index: Int, attempt: Int)?
      if isGuilty, let id = running, let sent = lane.work.inFlight.elements.first(where: { $0.chunk.id == id }) {
        if let index = lane.begunBehindLost(sent) {
          // Nobody is to blame yet: it is cut off, to be the first of its chunk when it does that again.
          tell { $0.revoked(slot: lane.slot, generation: lane.generation, chunk: id, from: index, now: $1) }
        } else {
          let index = sent.chunk.range.lowerBound + sent.received
          let isOver = seat.isStopping && !death.isOwn
          // Where it is not known who did it, the policy is not asked: nothing has failed yet.
          let isDoubtful = blame.suspects > 1 && !sent.chunk.isSuspect
          death.running[id] = isDoubtful || host.isRetryable(sent.chunk, index, lane.slot, isOver ? nil : cause)
          // As the map counts whose chunk this is, wherever that map is.
          let origin = sent.chunk.origin
          item = (origin.index + index, origin.attempt - 1 + sent.chunk.attempt)
        }
      }
      // Of several processes of a slot, those that are ended with the one have nothing to say to its item.
      let isLast = seat.processes.count == 1 && death.standardError.isEmpty
      if item != nil || !seat.isBreaking && (!seat.isStopping || isLast) { death.standardError += errors }
      if isGuilty, blame.suspects > 1 {
        death.suspects = blame.suspects
        death.standardError += "\nmillrace: it is not known which of \(blame.suspects) items did this\n"
      }
      if isForgiven {
        logForgiven(process, lane)
      } else {
        logDeath(of: process, lane, seat, cause, exit, item, running, errors, suspects: blame.suspects)
      }
      var rest = seat
      rest.processes.remove(process.token)
      rest.lanes.removeAll { $0 === lane }
      rest.death = death
      // It is ended for one of its processes, perhaps not for this one.
      if seat.isStopping, !rest.processes.isEmpty {
        seats[lane.slot] = rest
        continue
      }
      // The others of the slot end with it. What they have made by then is kept: the slot is empty when they are gone.
      for token in rest.processes {
        guard let other = processes[token], !isOf(lane.slot, other) else { continue }
        rest.processes.remove(token)
        leave(other, lane)
      }
      if !rest.processes.isEmpty {
        rest.isBreaking = true
        seats[lane.slot] = rest
        abandon(rest, lane.slot)
        continue
      }
      seats[lane.slot] = nil
      tell { $0.died(slot: lane.slot, generation: lane.generation, death, now: $1) }
      stepWithNews()
    }
    for slot in Array(seats.keys) where seats[slot]!.processes.remove(process.token) != nil { leaveIfEmpty(slot) }
  }

  /// Whether it came to what was copied as another thread of the program had it when it was forked: it waited for that in vain, or, at Swift's own
  /// lock, trapped.
  private func isStuck(_ process: WorkerProcess, _ exit: ProcessExit, _ errors: String) -> Bool {
    if exit.reason == .exited(code: WorkerExitCode.stuck) { return true }
    return (process.forkedFor != nil || slots.options.start == .fork) && errors.contains(Self.mutexTrap)
  }

  /// Whether another fork may have better luck with what this one was at. What meets something of the program's again and again has failed.
  private func mayTryAgain(_ lane: RemoteLane, _ running: Int?) -> Bool {
    let sent = lane.work.inFlight.elements.first { $0.chunk.id == running }
    let place = StuckPlace(
      job: sent?.chunk.job, index: sent.map { $0.chunk.range.lowerBound + $0.received } ?? lane.slot)
    let count = stuck[place, default: 0]
    stuck[place] = count + 1
    return count < Self.mostForks
  }

  private static let mostForks = 5
  /// What `Synchronization.Mutex` says where the thread that has it is not there.
  private static let mutexTrap = "while attempting to acquire a Mutex"
  private static let stuckText =
    "millrace: Fatal error: waits for what another thread of the program held or was doing when this worker was forked from it\n"

  /// A process of several slots goes on without this one's lanes.
  private func leave(_ process: WorkerProcess, _ lane: RemoteLane) {
    _ = receive(process)
    for other in process.lanes where other.slot == lane.slot && other.generation == lane.generation {
      send(.stop, to: other)
    }
  }

  private func salvaged(
    _ lane: RemoteLane, _ process: WorkerProcess, _ lanes: [RemoteLane]
  ) -> (answers: [RemoteAnswer], running: Int?) {
    let fetch = { _ = try process.fetchNews(for: lanes) }
    process.sharing.fetch = fetch
    defer { process.sharing.fetch = {} }
    return process.sharing.within(lane: lane.number) { lane.salvage(fetchSegments: fetch) }
  }

  private func cause(
    _ exit: ProcessExit, _ report: CrashReport?, _ process: WorkerProcess, _ errors: String
  ) -> ItemFailure.Cause {
    if let problem = process.problem { return .undecodable(problem.forUsers) }
    if report == nil, isLost(process, exit) {
      return .undecodable(TransportError(.connectionLost, "the worker was cut off from the pool"))
    }
    // What it wrote down itself comes first: its status may have been taken by others, or be that of what came later.
    switch (report, exit.reason) {
    case (.exited(let code)?, .exited(let real)) where code < 0: return .exited(code: real)
    case (.exited(let code)?, _): return .exited(code: code)
    case (.crashed(let crash)?, _):
      if crash.isStackOverflow { return .crashed(ItemFailure.Crash(kind: .stackOverflow, signal: crash.signal)) }
      let isFromOutside = crash.sender != 0 && crash.sender != process.child?.pid
      return .crashed(self.crash(crash.signal, isFromOutside: isFromOutside, errors))
    case (nil, .exited(let code)): return .exited(code: code)
    case (nil, .signalled(SIGKILL, _)): return .crashed(ItemFailure.Crash(kind: killKind(), signal: SIGKILL))
    case (nil, .signalled(let signal, _)):
      // No handler saw it. Those that a thread brings upon itself are the worker's own all the same: it had no stack for
      // a handler, or had blocked or replaced ours. Whoever sends one of those is not told apart.
      let isFromOutside = !Self.faults.contains(signal)
      return .crashed(self.crash(signal, isFromOutside: isFromOutside, errors))
    case (nil, .unknown): return .exited(code: -1)
    }
  }

  /// Whether it ended, or was ended by us, because nobody could hear it any more.
  private func isLost(_ process: WorkerProcess, _ exit: ProcessExit) -> Bool {
    switch exit.reason {
    // Code of the user's may exit with the same number, and says nothing.
    case .exited(let code): code == WorkerExitCode.lost && process.standardError.contains(WorkerExitCode.lastWords)
    case .signalled(SIGKILL, _): process.isEndedAsLost
    default: false
    }
  }

  private static let faults: Set<Int32> = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS]

  private func crash(_ signal: Int32, isFromOutside: Bool, _ errors: String) -> ItemFailure.Crash {
    let kind: ItemFailure.Crash.Kind
    if Self.allocationFailures.contains(where: errors.contains) {
      kind = .outOfMemory
    } else if isFromOutside {
      kind = .killedFromOutside
    } else if signal == SIGILL || signal == SIGTRAP {
      kind = .trap
    } else {
      kind = .signal
    }
    return ItemFailure.Crash(kind: kind, signal: signal)
  }

  /// What the Swift runtime, of several versions, and the C++ library say when there is no memory.
  private static let allocationFailures = [
    "failed to allocate ", "ould not allocate memory", "ut of memory", "bad_alloc",
  ]

  /// SIGKILL comes from outside: from the kernel, if its count of victims has grown.
  private func killKind() -> ItemFailure.Crash.Kind {
    let victims = Machine.memoryVictims
    defer { knownVictims = victims }
    return victims > knownVictims ?? victims ? .outOfMemory : .killedFromOutside
  }
}
