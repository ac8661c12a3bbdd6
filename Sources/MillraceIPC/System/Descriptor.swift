internal import CMillrace

/// A file descriptor of ours with one owner, closed with it: a leak does not compile.
///
/// Code of the program's may have closed it before. What has its number by then is left alone, unless it is of the same kind: event
/// descriptors and the like have nothing by which one is told from another.
package struct Descriptor: ~Copyable, Sendable {
  package let rawValue: Int32
  private let kind: UInt64

  package init(owning rawValue: Int32) {
    self.rawValue = rawValue
    kind = millrace_fd_kind(rawValue)
  }

  deinit {
    millrace_fd_close_own(rawValue, kind)
  }

  /// Whether it is what it was: code of the program's may have closed it, and have something else by its number.
  package var isIntact: Bool { kind != 0 && millrace_fd_kind(rawValue) == kind }

  /// Gives up the ownership: the caller closes it now.
  package consuming func take() -> Int32 {
    let value = rawValue
    discard self
    return value
  }
}
