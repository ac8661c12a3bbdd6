public import CMillrace
public import Synchronization

/// A value behind a lock of the C library's.
///
/// Not `Synchronization.Mutex`, for two reasons of its form on Linux, a futex with priority inheritance: each contended
/// unlock hands the lock over by two system calls, which here cost more than what is done under it; and it hands the kernel
/// the number of its thread, which a forked child inherits from its parent, and traps there as soon as there is contention.
@usableFromInline
package final class Lock<Value: ~Copyable>: @unchecked Sendable {
  // Sound: `value` is touched with the lock held only, so accesses do not overlap either and need no check. The C library's stays in
  // its cell, beside the value, for as long as the object is there.
  @usableFromInline let cell: _Cell<millrace_lock>
  @exclusivity(unchecked) @usableFromInline var value: Value

  @inlinable
  package init(_ value: consuming sending Value) {
    self.value = value
    cell = _Cell(millrace_lock())
    millrace_lock_init(cell._address)
  }

  deinit { millrace_lock_destroy(cell._address) }

  // A part of each step of a pool, several times: it is compiled where it is used, and nothing is called but the C library.
  @inlinable
  @inline(__always)
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body(&value)
  }

  @inlinable
  @inline(__always)
  func lock() { millrace_lock_take(cell._address) }

  @inlinable
  @inline(__always)
  func unlock() {
    if millrace_lock_release(cell._address) != 0 { Unlocked.releaseLeftovers() }
  }
}

extension Lock: CustomReflectable where Value: ~Copyable {
  /// Shows nothing: what it guards may change at any moment, and may not be copyable.
  @usableFromInline package var customMirror: Mirror { Mirror(self, children: [:]) }
}
