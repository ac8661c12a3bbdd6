import CMillrace
import Synchronization

/// A descriptor of a pool's that is closed when the pool ends, not only when nobody refers to it any more.
///
/// Whoever closes it sees to it that nobody is using it, or will.
final class SharedDescriptor: Sendable {
  private let number: Atomic<Int32>

  init(owning number: Int32) { self.number = Atomic(number) }

  /// -1 if it is closed.
  var rawValue: Int32 { number.load(ordering: .relaxed) }

  func close() {
    let last = number.exchange(-1, ordering: .acquiringAndReleasing)
    if last >= 0 { millrace_fd_close(last) }
  }

  deinit { close() }
}
