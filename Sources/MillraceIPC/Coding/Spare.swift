internal import Synchronization

/// A place for one spare object, taken and given back without a lock.
///
/// Coders keep their scratch state here between items. Who finds the place empty makes a new object; who finds it full drops his.
final class Spare<Object: AnyObject>: Sendable {
  private let bits = Atomic<UInt>(0)

  func take() -> Object? {
    let found = bits.exchange(0, ordering: .acquiring)
    guard let pointer = UnsafeRawPointer(bitPattern: found) else { return nil }
    return Unmanaged<Object>.fromOpaque(pointer).takeRetainedValue()
  }

  /// Keeps `object`, unless somebody else holds on to it: then it may still be used, and must not be shared.
  func give(_ object: inout Object) {
    guard isKnownUniquelyReferenced(&object) else { return }
    let new = UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())
    let old = bits.exchange(new, ordering: .acquiringAndReleasing)
    if let pointer = UnsafeRawPointer(bitPattern: old) { Unmanaged<Object>.fromOpaque(pointer).release() }
  }

  deinit { _ = take() }
}
