import Logging
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Code of the program's has closed descriptors that are the pool's, as some do before they go on as a daemon: nobody hears
/// the workers any more, nor would hear of their end.
extension ProcessControl {
  /// Ends the pool: its work with an error, its workers without asking any descriptor whether they are gone.
  func lost(_ error: SystemCallError) {
    slots.isLost = true
    let error = Self.loss(error)
    host.logger.error("\(error)")
    host.lose(error)
    for process in processes.values {
      process.isKilledByUs = true
      process.control.hangUp()
      process.child?.kill()
    }
    if let server {
      server.shutdown()
      lose(server, nil)
    }
    for process in Array(processes.values) {
      var exit: ProcessExit?
      // Once more, for its descriptor may go while it is waited for.
      for _ in 0..<3 where exit == nil {
        process.child?.kill()
        exit = process.child?.waitForEnd(milliseconds: Int32(clamping: slots.limits.endingTime / 1_000_000))
      }
      died(process, exit ?? ProcessExit(reason: .unknown, peakResidentBytes: 0))
    }
    // Nothing runs any more: what is still asked for is the end.
    while true {
      for action in slots.takeMail() {
        // Asked for before: nothing starts any more.
        if case .prepare = action { continue }
        perform(action)
      }
      if slots.isClosing { return }
      if slots.fallAsleep() { slots.substitute.waitForWork() }
      slots.wakeUp()
    }
  }

  /// No worker can be started where the pool's descriptors are gone, and that is what is told then.
  func loseIfLost() {
    if !slots.lifeline.isIntact { host.lose(Self.loss(SystemCallError("poll", EBADF))) }
  }

  private static func loss(_ error: SystemCallError) -> WorkerPoolError {
    WorkerPoolError(
      .cannotStart,
      "something in this program has closed descriptors of the pool, which cannot reach its workers any more and has ended them: close what you have opened, and make a new pool",
      underlying: error.forUsers)
  }
}
