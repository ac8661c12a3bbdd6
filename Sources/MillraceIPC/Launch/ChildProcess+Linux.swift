#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A worker process, however it was started.
///
/// Letting go of it does not end it.
package final class ChildProcess: Sendable {
  package let pid: Int32
  private let pidfd: Descriptor
  private let kind: UInt64
  /// Ours to reap; the fork server's workers are its own.
  private let isOwnChild: Bool
  /// What it had started when it was told to end. Where its orphans do not come to the fork server, nobody else knows them.
  private let held = Lock<[millrace_held]>([])

  init(pid: Int32, pidfd: consuming Descriptor, isOwnChild: Bool) {
    self.pid = pid
    kind = millrace_fd_kind(pidfd.rawValue)
    self.pidfd = pidfd
    self.isOwnChild = isOwnChild
  }

  deinit { endHeld() }

  /// Readable as soon as the process has ended.
  ///
  /// Stays the object's own.
  package var descriptor: Int32 { pidfd.rawValue }

  /// Whether it has ended (reaped or not).
  ///
  /// Does not wait.
  package var hasEnded: Bool {
    withDescriptor { pidfd in
      var state = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
      return poll(&state, 1, 0) == 1
    }
  }

  /// The process's descriptor, or another one, should code of the program's have closed it. The fork server's workers end
  /// without: it sees its own end of the program.
  private func withDescriptor<R>(_ body: (Int32) -> R) -> R {
    let renewed = isOwnChild ? millrace_pidfd_renewed(pid, pidfd.rawValue, kind) : -1
    defer { millrace_fd_close(renewed) }
    return body(renewed >= 0 ? renewed : pidfd.rawValue)
  }

  /// Lets the process go on, if somebody has stopped it.
  package func wake() { _ = millrace_pidfd_signal(pidfd.rawValue, SIGCONT) }

  /// SIGTERM to the process and all its descendants. Those that outlive it are killed when it is reaped.
  ///
  /// - Returns: whether it may be signalled; not, if this program or that one has changed its user.
  @discardableResult
  package func terminate() -> Bool {
    let most = isOwnChild ? 512 : 0
    return withUnsafeTemporaryAllocation(of: millrace_held.self, capacity: 512) { room in
      let count = millrace_tree_terminate(pid, pidfd.rawValue, room.baseAddress, most)
      if count > 0 { held.withLock { $0 += room.prefix(count) } }
      return count >= 0
    }
  }

  /// SIGKILL to the process and all its descendants, also to those in sessions of their own.
  ///
  /// Never to a stranger that has got its number. Returns when the descendants are gone, or after two seconds; the process
  /// itself follows in a moment.
  ///
  /// - Returns: whether it may be signalled.
  @discardableResult
  package func kill() -> Bool {
    let error = withDescriptor { millrace_tree_kill(pid, $0, isOwnChild ? 1 : 0) }
    endHeld()
    return error == 0
  }

  private func endHeld() {
    let held = held.withLock { held in
      defer { held = [] }
      return held
    }
    for process in held { millrace_held_end(process) }
  }

  /// How it ended, or `nil` if it has not.
  ///
  /// Reaps it; for workers that were spawned or forked by this program only: about the others the fork server tells.
  /// Ask once.
  package func reap() -> ProcessExit? {
    let exit = withDescriptor { Self.reap(pid, $0) }
    if exit != nil { endHeld() }
    return exit
  }

  /// Waits for the end, and reaps, as `reap` does.
  package func waitForEnd() -> ProcessExit {
    waitForEnd(milliseconds: -1) ?? ProcessExit(reason: .unknown, peakResidentBytes: 0)
  }

  /// Waits for the end, for so long at the most.
  package func waitForEnd(milliseconds: Int32) -> ProcessExit? {
    withDescriptor { Self.wait($0, milliseconds) }
    return reap()
  }

  static func wait(_ pidfd: Int32, _ milliseconds: Int32) {
    var state = pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)
    while poll(&state, 1, milliseconds) < 0, errno == EINTR {}
  }

  static func reap(_ pid: Int32, _ pidfd: Int32) -> ProcessExit? {
    var status: Int32 = 0
    var peak = 0
    switch millrace_reap(pid, pidfd, &status, &peak) {
    case 0: return nil
    case 1: return ProcessExit(waitStatus: status, peakResidentKiB: peak)
    // Somebody has closed it just now: it is not known yet.
    case -EBADF: return nil
    default: return ProcessExit(reason: .unknown, peakResidentBytes: 0)
    }
  }
}
#endif
