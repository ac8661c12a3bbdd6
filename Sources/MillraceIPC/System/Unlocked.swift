import CMillrace

/// No code of a user's runs while a lock of ours is held: no closure, `deinit`, cancellation handler, log handler, iterator or
/// continuation. It might want the same lock, or take for ever.
///
/// Two things see to that. Whoever is about to run such code says so (``expect(_:)``), and a debug build traps if its thread
/// holds a lock. And what would be let go of under a lock, though a user's `deinit` may depend on it, is kept until the
/// thread has released its last one (``release(_:)``).
@usableFromInline
package enum Unlocked {
  /// Code of a user's is about to run: in debug builds, traps if this thread holds a lock of ours.
  @inline(__always)
  package static func expect(_ what: StaticString) {
    assert(millrace_locks_held() == 0, "\(what) must not run with a lock held")
  }

  /// Keeps the value alive until this thread holds no lock of ours.
  @inline(__always)
  package static func release<Value>(_ value: Value) {
    if !isSo { keep(value) }
  }

  /// Whether this thread holds no lock of ours.
  @inline(__always)
  package static var isSo: Bool { millrace_locks_held() == 0 }

  @inline(never)
  private static func keep<Value>(_ value: Value) { later { withExtendedLifetime(value) {} } }

  private final class Leftover {
    let body: () -> Void
    let next: UnsafeMutableRawPointer?

    init(_ body: @escaping () -> Void, _ next: UnsafeMutableRawPointer?) {
      self.body = body
      self.next = next
    }
  }

  /// Does something when this thread, which holds one, has released its last lock.
  @inline(never)
  package static func later(_ body: @escaping () -> Void) {
    let next = millrace_leftovers_exchange(nil)
    _ = millrace_leftovers_exchange(Unmanaged.passRetained(Leftover(body, next)).toOpaque())
  }

  /// The thread has released its last lock: what was left is let go of now, the first first.
  @inline(never)
  @usableFromInline
  static func releaseLeftovers() {
    var newest = millrace_leftovers_exchange(nil)
    var leftovers: [Leftover] = []
    while let next = newest {
      let leftover = Unmanaged<Leftover>.fromOpaque(next).takeRetainedValue()
      leftovers.append(leftover)
      newest = leftover.next
    }
    while let leftover = leftovers.popLast() { leftover.body() }
  }
}
