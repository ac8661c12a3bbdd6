internal import CMillrace

/// A file descriptor of ours with one owner, closed with it: a leak does not compile.
package struct Descriptor: ~Copyable, Sendable {
  package let rawValue: Int32

  package init(owning rawValue: Int32) {
    self.rawValue = rawValue
  }

  deinit {
    millrace_fd_close(rawValue)
  }

  /// Gives up the ownership: the caller closes it now.
  package consuming func take() -> Int32 {
    let value = rawValue
    discard self
    return value
  }
}
