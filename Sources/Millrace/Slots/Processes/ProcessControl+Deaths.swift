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
    let isAnyoneGuilty = reports.contains { $0 != nil }
    for (lane, report) in zip(lanes, reports) {
      let found = lane.isBroken ? (answers: [], running: lane.suspect?.chunk.id) : salvaged(lane, process, lanes)
      for answer in found.answers { handle(answer, lane, process) }
      stepWithNews()
      // It had ended in good order, and so did the process.
      if lane.hasStopped { continue }
      guard let seat = seats[lane.slot], seat.generation == lane.generation else { continue }
      // In a process of several lanes, those that did not crash are bystanders, and so are those that it is not ended for.
      let isGuilty = report != nil || !(isAnyoneGuilty || process.isKilledByUs && !seat.isStopping)
      let cause = isGuilty ? cause(exit, report, process) : .cancelled
      var death = seat.death
      death.cause = cause
      death.standardError += process.standardError
      if isGuilty, let id = found.running, let sent = lane.inFlight.elements.first(where: { $0.chunk.id == id }) {
        if let index = lane.begunBehindLost(sent) {
          // Nobody is to blame yet: it is cut off, to be the first of its chunk when it does that again.
          tell { $0.revoked(slot: lane.slot, generation: lane.generation, chunk: id, from: index, now: $1) }
        } else {
          let index = sent.chunk.range.lowerBound + sent.received
          death.running[id] = core.isRetryable(sent.chunk, index, lane.slot, seat.isStopping ? nil : cause)
        }
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
      seats[lane.slot] = nil
      abandon(rest, lane.slot)
      tell { $0.died(slot: lane.slot, generation: lane.generation, death, now: $1) }
      stepWithNews()
    }
    for slot in Array(seats.keys) where seats[slot]!.processes.remove(process.token) != nil { leaveIfEmpty(slot) }
  }

  private func salvaged(
    _ lane: RemoteLane, _ process: WorkerProcess, _ lanes: [RemoteLane]
  ) -> (answers: [RemoteLane.Answer], running: Int?) {
    lane.salvage { try process.fetchSegments(for: lanes) }
  }

  private func cause(_ exit: ProcessExit, _ report: CrashReport?, _ process: WorkerProcess) -> ItemFailure.Cause {
    if let problem = process.problem { return .undecodable(problem) }
    if case .exited(let code)? = report { return .exited(code: code) }
    if report == nil, isLost(process, exit) { return .undecodable(WireProblem("the worker was cut off from the pool")) }
    switch exit.reason {
    case .exited(let code): return .exited(code: code)
    case .signalled(let signal, _): return .crashed(crash(signal, report, process))
    case .unknown: return .crashed(ItemFailure.Crash(kind: .killedFromOutside, signal: SIGKILL))
    }
  }

  /// Whether it ended, or was ended by us, because nobody could hear it any more.
  private func isLost(_ process: WorkerProcess, _ exit: ProcessExit) -> Bool {
    switch exit.reason {
    // Code of the user's may exit with the same number, and says nothing.
    case .exited(let code): code == WorkerExitCode.lost && process.standardError.contains(WorkerExitCode.lastWords)
    case .signalled(SIGKILL, _): process.isCutOff && process.killAt == nil && !process.isKilledByUs
    default: false
    }
  }

  private func crash(_ signal: Int32, _ report: CrashReport?, _ process: WorkerProcess) -> ItemFailure.Crash {
    guard case .crashed(let crash)? = report else {
      // A signal that no handler saw: it cannot be caught, or somebody sent it.
      return ItemFailure.Crash(kind: signal == SIGKILL ? killKind() : .killedFromOutside, signal: signal)
    }
    let kind: ItemFailure.Crash.Kind
    if crash.isStackOverflow {
      kind = .stackOverflow
    } else if Self.allocationFailures.contains(where: process.standardError.contains) {
      kind = .outOfMemory
    } else if crash.sender != 0, crash.sender != process.child?.pid {
      kind = .killedFromOutside
    } else if crash.signal == SIGILL || crash.signal == SIGTRAP {
      kind = .trap
    } else {
      kind = .signal
    }
    return ItemFailure.Crash(kind: kind, signal: crash.signal)
  }

  /// What the Swift runtime, of several versions, and the C++ library say when there is no memory.
  private static let allocationFailures = [
    "failed to allocate ", "ould not allocate memory", "ut of memory", "bad_alloc",
  ]

  /// SIGKILL comes from outside: from the kernel, if its count of victims has grown.
  private func killKind() -> ItemFailure.Crash.Kind {
    let victims = Host.memoryVictims
    defer { knownVictims = victims }
    return victims > knownVictims ?? victims ? .outOfMemory : .killedFromOutside
  }
}
