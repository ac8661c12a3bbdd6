#if os(Linux)
internal import CMillrace

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A bell that `poll` can hear, beside whatever else a thread waits for.
extension Descriptor {
  /// An event descriptor: readable once it was rung, until `hear`.
  package static func bell() throws(SystemCallError) -> Descriptor {
    let number = millrace_bell_create()
    guard number >= 0 else { throw SystemCallError("eventfd", errno) }
    return Descriptor(owning: number)
  }

  package borrowing func ring() { _ = millrace_bell_ring(rawValue) }

  package borrowing func hear() { millrace_bell_clear(rawValue) }
}
#endif
