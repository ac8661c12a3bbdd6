import CMillrace
import Synchronization

/// A descriptor of a pool's that is closed when the pool ends, not only when nobody refers to it any more.
///
/// Whoever closes it sees to it that nobody is using it, or will. Code of the program's may have closed it before: what has its
/// number by then is not touched.
package final class SharedDescriptor: Sendable {
  private let number: Atomic<Int32>
  private let kind: UInt64

  package init(owning number: Int32) {
    self.number = Atomic(number)
    kind = millrace_fd_kind(number)
  }

  /// Whether it is what it was.
  var isIntact: Bool { kind != 0 && millrace_fd_kind(rawValue) == kind }

  /// Rings it, an event descriptor; false if it is none any more.
  func ring() -> Bool { millrace_bell_ring_own(rawValue, kind) == 0 }

  /// -1 if it is closed.
  package var rawValue: Int32 { number.load(ordering: .relaxed) }

  package func close() {
    let last = number.exchange(-1, ordering: .acquiringAndReleasing)
    millrace_fd_close_own(last, kind)
  }

  deinit { close() }
}
