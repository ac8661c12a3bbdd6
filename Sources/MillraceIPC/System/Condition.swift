#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A mutex of the C library's and what its holders wait for: what everything is made of in which a thread sleeps.
///
/// Where nobody waits, `Lock` is the one to take: it guards a value, and knows who holds it.
package struct Condition: ~Copyable, @unchecked Sendable {
  // Sound: the POSIX objects stay where they are, and are used as they are meant to be, from any thread.
  private let place: UnsafeMutableRawPointer
  private var mutex: UnsafeMutablePointer<pthread_mutex_t> { place.assumingMemoryBound(to: pthread_mutex_t.self) }
  private var condition: UnsafeMutablePointer<pthread_cond_t> {
    (place + Self.size).assumingMemoryBound(to: pthread_cond_t.self)
  }

  /// How far the second of them is behind the first.
  private static let size = 64

  package init() {
    precondition(MemoryLayout<pthread_mutex_t>.size <= Self.size && MemoryLayout<pthread_cond_t>.alignment <= 16)
    place = .allocate(byteCount: Self.size + MemoryLayout<pthread_cond_t>.size, alignment: 16)
    place.bindMemory(to: pthread_mutex_t.self, capacity: 1)
    (place + Self.size).bindMemory(to: pthread_cond_t.self, capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    #if os(Linux)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    #endif
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    place.deallocate()
  }

  package borrowing func lock() { pthread_mutex_lock(mutex) }
  package borrowing func unlock() { pthread_mutex_unlock(mutex) }

  /// Gives the mutex up until somebody wakes, and has it again; it may also return for no reason.
  package borrowing func wait() { pthread_cond_wait(condition, mutex) }

  /// The same, but not beyond a time of `MonotonicTime`: false if that has come.
  @discardableResult
  package borrowing func wait(until deadline: UInt64) -> Bool {
    var time = timespec(
      tv_sec: Int(min(deadline / 1_000_000_000, UInt64(Int32.max))), tv_nsec: Int(deadline % 1_000_000_000))
    return pthread_cond_timedwait(condition, mutex, &time) == 0
  }

  package borrowing func wakeOne() { pthread_cond_signal(condition) }
  package borrowing func wakeAll() { pthread_cond_broadcast(condition) }
}
