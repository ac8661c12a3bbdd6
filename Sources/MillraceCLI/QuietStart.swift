#if CLI
internal import Synchronization

/// The first milliseconds of a job, in which it is not looked at what it writes.
///
/// A short job writes little and ends: what it wrote lies in the pipes until then. To be woken for each write, and for the end of
/// each stream, takes as long as starting the job. Jobs that write more than a pipe holds would have to wait, so there is no quiet
/// after one that wrote much.
final class QuietStart: Sendable {
  static let time: UInt64 = 5_000_000
  /// A quarter of what a pipe holds.
  private static let little = 16 * 1024

  private let isWanted: Bool
  private let isOn: Atomic<Bool>

  /// - Parameter isWanted: false where output has to go on at once.
  init(isWanted: Bool) {
    self.isWanted = isWanted
    isOn = Atomic(isWanted)
  }

  func lasts(since start: UInt64, now: UInt64) -> Bool { isOn.load(ordering: .relaxed) && now < start + Self.time }

  /// A job has written so much.
  func learn(_ byteCount: Int) { isOn.store(isWanted && byteCount <= Self.little, ordering: .relaxed) }
}
#endif
