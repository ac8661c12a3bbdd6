internal import Synchronization

/// A place for one spare object, taken and given back without a lock.
///
/// Coders keep their scratch state here between items. Who finds the place empty makes a new object; who finds it full drops his.
final class Spare<Object: AnyObject>: Sendable {
  private let bits = Atomic<UInt>(0)

  /// The spare object, which is the caller's now.
  @inline(__always) func take() -> Unmanaged<Object>? {
    UnsafeRawPointer(bitPattern: bits.exchange(0, ordering: .acquiring)).map { .fromOpaque($0) }
  }

  /// Takes `object` over, and keeps it, unless somebody else holds on to it: then it may still be used, and must not be shared.
  @inline(__always) func give(_ object: Unmanaged<Object>) {
    // Looked at where it is, for a reference of our own would make two.
    var pointer = object.toOpaque()
    let isOurs = withUnsafeMutablePointer(to: &pointer) {
      $0.withMemoryRebound(to: Object.self, capacity: 1) { isKnownUniquelyReferenced(&$0.pointee) }
    }
    guard isOurs else { return object.release() }
    let old = bits.exchange(UInt(bitPattern: pointer), ordering: .acquiringAndReleasing)
    if let other = UnsafeRawPointer(bitPattern: old) { Unmanaged<Object>.fromOpaque(other).release() }
  }

  deinit { take()?.release() }
}
