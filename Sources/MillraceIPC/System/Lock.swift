import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A value behind a lock of the C library's.
///
/// Not `Synchronization.Mutex`, for two reasons of its form on Linux, a futex with priority inheritance: each contended
/// unlock hands the lock over by two system calls, which here cost more than what is done under it; and it hands the kernel
/// the number of its thread, which a forked child inherits from its parent, and traps there as soon as there is contention.
package final class Lock<Value: ~Copyable>: @unchecked Sendable {
  // Sound: `value` is touched with the lock held only, so accesses do not overlap either and need no check.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  @exclusivity(unchecked) @usableFromInline var value: Value

  package init(_ value: consuming sending Value) {
    self.value = value
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    millrace_lock_init(mutex)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  @inlinable
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body(&value)
  }

  @usableFromInline
  func lock() {
    pthread_mutex_lock(mutex)
    millrace_lock_taken()
  }

  @usableFromInline
  func unlock() {
    pthread_mutex_unlock(mutex)
    if millrace_lock_released() != 0 { Unlocked.releaseLeftovers() }
  }
}

extension Lock: CustomReflectable where Value: ~Copyable {
  /// Shows nothing: what it guards may change at any moment, and may not be copyable.
  package var customMirror: Mirror { Mirror(self, children: [:]) }
}
