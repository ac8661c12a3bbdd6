#if os(Linux)
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The lowest address of the calling thread's stack; 0 if the system does not tell.
func stackFloor() -> UInt {
  var attributes = pthread_attr_t()
  guard attributesOfThread(pthread_self(), &attributes) == 0 else { return 0 }
  defer { pthread_attr_destroy(&attributes) }
  var lowest: UnsafeMutableRawPointer?
  var size = 0
  guard pthread_attr_getstack(&attributes, &lowest, &size) == 0 else { return 0 }
  return UInt(bitPattern: lowest)
}

/// Both C libraries of Linux have it, but show it only to programs that define `_GNU_SOURCE`, which Swift's modules do not.
@_silgen_name("pthread_getattr_np")
private func attributesOfThread(_ thread: pthread_t, _ attributes: UnsafeMutablePointer<pthread_attr_t>) -> CInt
#endif
