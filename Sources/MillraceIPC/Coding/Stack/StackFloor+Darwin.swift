#if canImport(Darwin)
internal import Darwin

/// The lowest address of the calling thread's stack.
func stackFloor() -> UInt {
  UInt(bitPattern: pthread_get_stackaddr_np(pthread_self())) - UInt(pthread_get_stacksize_np(pthread_self()))
}
#endif
