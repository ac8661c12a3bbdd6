/// Lets `make` initialise memory for a value by address, and returns the value.
///
/// `withUnsafeTemporaryAllocation` would do the same, but in unspecialised code it looks up metadata for its result type each time,
/// which takes longer than decoding a number. So small values are made in a local variable.
@inlinable @inline(__always)
func making<Value>(_ type: Value.Type, _ make: (UnsafeMutableRawPointer) throws -> Void) rethrows -> Value {
  if MemoryLayout<Value>.size <= 64, MemoryLayout<Value>.alignment <= 16 {
    var room: (UInt128, UInt128, UInt128, UInt128) = (0, 0, 0, 0)
    return try withUnsafeMutablePointer(to: &room) { room in
      let place = UnsafeMutableRawPointer(room)
      try make(place)
      return place.assumingMemoryBound(to: Value.self).move()
    }
  }
  let place = UnsafeMutableRawPointer.allocate(
    byteCount: MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.alignment)
  defer { place.deallocate() }
  try make(place)
  return place.assumingMemoryBound(to: Value.self).move()
}
