import MillraceIPC
import Synchronization

/// How many of a pool's observers want to know how much memory its workers have.
package final class MemoryWatch: Sendable {
  private let watchers = Atomic(0)

  package init() {}

  package var isOn: Bool { watchers.load(ordering: .relaxed) > 0 }

  func add(_ count: Int) { watchers.add(count, ordering: .relaxed) }
}

/// When a worker's memory was looked at last. To look takes some microseconds, and memory does not change so fast.
package struct MemoryClock: Sendable {
  private static let pause: UInt64 = 50_000_000
  private var last: UInt64?

  package init() {}

  /// Whether it is to be looked at now; then it counts as looked at.
  package mutating func isDue(_ watch: MemoryWatch?) -> Bool { watch?.isOn == true && isDue(at: _monotonicNow()) }

  package mutating func isDue(at now: UInt64) -> Bool {
    if let last, now < last &+ Self.pause { return false }
    last = now
    return true
  }
}
