#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file descriptor with one owner, closed with it: a leak does not compile.
package struct Descriptor: ~Copyable, Sendable {
  package let rawValue: Int32

  package init(owning rawValue: Int32) {
    self.rawValue = rawValue
  }

  deinit {
    _ = close(rawValue)
  }

  /// Gives up the ownership: the caller closes it now.
  package consuming func take() -> Int32 {
    let value = rawValue
    discard self
    return value
  }
}
