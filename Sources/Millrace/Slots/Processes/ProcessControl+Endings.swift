import Logging
import MillraceIPC

/// How processes end, and until when. Each wait here has an end that depends on nobody's good will.
extension ProcessControl {
  /// Ends the process: SIGTERM, and after the grace SIGKILL, to it and all that it has started.
  func end(_ process: WorkerProcess) {
    process.isKilledByUs = true
    KillPoint.parentEndsWorker.reach()
    // It is ended when it is there; who starts it has so long.
    guard let child = process.child else { return awaitAnswer() }
    guard !process.isToldToEnd else { return }
    process.isToldToEnd = true
    // If we have changed our user, it ends itself when nobody speaks with it any more.
    if !child.terminate() { process.control.hangUp() }
    let grace = process.isDying ? 0 : slots.options.grace.nanoseconds
    process.killAt = min(process.killAt ?? .max, _monotonicNow() &+ grace)
  }

  /// Does what is due by now about those that do not end.
  func endOverdue() {
    let now = _monotonicNow()
    var stuck: [UInt64] = []
    for process in processes.values {
      if !process.isDying, process.hasMarkedItsEnd {
        process.isDying = true
        process.killAt = min(process.killAt ?? .max, now &+ WorkerProcess.dyingTime)
      }
      if let time = process.killAt, time <= now { kill(process, now) }
      if let time = process.goneBy, time <= now { giveUp(process, now) }
      if let time = process.serveBy, time <= now { stuck.append(process.token) }
    }
    // Not in the loop, which holds them, and all that they have of the system's.
    for token in stuck { replaceStuck(token) }
    if let time = answerBy, time <= now { lookAfterServer(now) }
  }

  private func kill(_ process: WorkerProcess, _ now: UInt64) {
    process.killAt = nil
    guard let child = process.child else { return }
    if hasEndedUnheard(process, child) { return }
    process.isEndedAsLost = process.isCutOff && !process.isKilledByUs && !child.hasEnded
    if process.isEndedAsLost, process.hasLeft {
      let time = Duration.nanoseconds(slots.limits.endingTime)
      host.logger(slot: process.group * slots.options.threadsPerProcess).warning(
        "a worker process did not end within \(time), which its exit handlers have, and was killed")
    }
    if !child.kill() { process.control.hangUp() }
    process.goneBy = now &+ slots.limits.endingTime
  }

  /// Whether it has ended: somebody may have closed the descriptor that tells of that.
  private func hasEndedUnheard(_ process: WorkerProcess, _ child: ChildProcess) -> Bool {
    guard !process.isServers, let exit = child.reap() else { return false }
    died(process, exit)
    return true
  }

  /// Neither SIGKILL nor the end of its socket has ended it: it is stopped, and we may not signal it, or the kernel does
  /// not let go of it. Or it has ended, and the fork server does not say how.
  private func giveUp(_ process: WorkerProcess, _ now: UInt64) {
    process.goneBy = nil
    guard let child = process.child else { return }
    if hasEndedUnheard(process, child) { return }
    if !child.hasEnded {
      process.control.hangUp()
      host.logger(slot: process.group * slots.options.threadsPerProcess).error(
        "process \(child.pid) of a worker cannot be ended, and is left to itself")
    }
    died(process, ProcessExit(reason: .unknown, peakResidentBytes: 0))
  }

  // MARK: The fork server

  private static let answerTime: UInt64 = 1_000_000_000
  /// After so many of them it is ended.
  private static let patience = 10

  /// Something was asked of the server.
  func awaitAnswer() { answerBy = answerBy ?? _monotonicNow() &+ Self.answerTime }

  /// It has spoken; perhaps not of everything.
  func hasAnswered() {
    silence = 0
    let isAwaited = server != nil && processes.values.contains { $0.isServers && $0.child == nil }
    answerBy = isAwaited ? _monotonicNow() &+ Self.answerTime : nil
  }

  /// The server owes us an answer. Whoever has stopped it: it goes on. It may be slow to begin; but whoever waits for the
  /// end of what it was to start does not wait as long.
  private func lookAfterServer(_ now: UInt64) {
    guard let server, processes.values.contains(where: { $0.isServers && $0.child == nil }) else {
      answerBy = nil
      return
    }
    silence += 1
    let isEnding = processes.values.contains { $0.isServers && $0.child == nil && $0.isKilledByUs }
    guard silence >= (isEnding ? Self.patience / 2 : Self.patience) else {
      server.wake()
      answerBy = now &+ Self.answerTime
      return
    }
    silence = 0
    server.kill()
    lose(server, LaunchError.serverSilent)
  }

  /// A worker of the server's has ended, and the server, which reaps it, is to say how.
  func awaitWord(of process: WorkerProcess, _ child: ChildProcess) {
    poller.remove(child.descriptor)
    server?.wake()
    process.killAt = nil
    process.goneBy = _monotonicNow() &+ Self.answerTime
  }
}
