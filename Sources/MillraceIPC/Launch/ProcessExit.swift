/// How a process ended, and how much memory it had at most.
package struct ProcessExit: Equatable, Sendable {
  package enum Reason: Equatable, Sendable {
    case exited(code: Int32)
    case signalled(Int32, dumpedCore: Bool)
    /// Somebody else in the program reaped it (SIGCHLD ignored, or a `wait` for any child).
    case unknown
  }

  package let reason: Reason
  /// Peak resident size; 0 if unknown.
  package let peakResidentBytes: Int

  package init(reason: Reason, peakResidentBytes: Int) {
    self.reason = reason
    self.peakResidentBytes = peakResidentBytes
  }

  /// From a status as `wait` gives it.
  init(waitStatus status: Int32, peakResidentKiB: Int) {
    let signal = status & 0x7f
    reason = signal == 0 ? .exited(code: status >> 8 & 0xff) : .signalled(signal, dumpedCore: status & 0x80 != 0)
    let (bytes, isTooMuch) = peakResidentKiB.multipliedReportingOverflow(by: 1024)
    peakResidentBytes = isTooMuch ? 0 : bytes
  }
}
