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
  /// Ours to reap; the fork server's workers are its own.
  private let isOwnChild: Bool

  init(pid: Int32, pidfd: consuming Descriptor, isOwnChild: Bool) {
    self.pid = pid
    self.pidfd = pidfd
    self.isOwnChild = isOwnChild
  }

  /// Readable as soon as the process has ended.
  ///
  /// Stays the object's own.
  package var descriptor: Int32 { pidfd.rawValue }

  /// Whether it has ended (reaped or not).
  ///
  /// Does not wait.
  package var hasEnded: Bool {
    var state = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, 0) == 1
  }

  /// SIGTERM to the process and all its descendants.
  package func terminate() {
    millrace_tree_signal(pid, pidfd.rawValue, SIGTERM)
  }

  /// SIGKILL to the process and all its descendants, also to those in sessions of their own.
  ///
  /// Never to a stranger that has got its number. Returns when the descendants are gone; the process itself follows
  /// in a moment.
  package func kill() {
    millrace_tree_kill(pid, pidfd.rawValue, isOwnChild ? 1 : 0)
  }

  /// How it ended, or `nil` if it has not.
  ///
  /// Reaps it; for workers that were spawned or forked by this program only: about the others the fork server tells.
  /// Ask once.
  package func reap() -> ProcessExit? {
    Self.reap(pidfd.rawValue, waits: false)
  }

  /// Waits for the end, and reaps, as `reap` does.
  package func waitForEnd() -> ProcessExit {
    Self.reap(pidfd.rawValue, waits: true) ?? ProcessExit(reason: .unknown, peakResidentBytes: 0)
  }

  static func reap(_ pidfd: Int32, waits: Bool) -> ProcessExit? {
    var status: Int32 = 0
    var peak = 0
    switch millrace_reap(pidfd, waits ? 1 : 0, &status, &peak) {
    case 0: return nil
    case 1: return ProcessExit(waitStatus: status, peakResidentKiB: peak)
    default: return ProcessExit(reason: .unknown, peakResidentBytes: 0)
    }
  }
}
#endif
