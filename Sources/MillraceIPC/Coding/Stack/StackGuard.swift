/// Says whether the stack of the calling thread has room for one more level of nested values.
///
/// Coding recurses with the value: a kilobyte a level in release builds, more in debug builds, and as much again as the user's own code
/// takes. A thread may have 8 MiB of stack or 128 KiB. Values nested a little are never looked at; at the first deep level
/// of a value the thread's bounds are asked for, once.
struct StackGuard {
  /// Levels that every stack has room for.
  static let harmlessDepth: Int32 = 24
  /// What is left for user code and for making the error.
  static let reserve: UInt = 96 << 10

  private var floor: UInt?

  /// To be called when a new value begins, which may be on another thread.
  mutating func reset() { floor = nil }

  @inline(__always) mutating func hasRoom(at depth: Int32) -> Bool { depth <= Self.harmlessDepth || hasRoom() }

  @inline(never) private mutating func hasRoom() -> Bool {
    let floor = floor ?? stackFloor() &+ Self.reserve
    self.floor = floor
    var here: UInt8 = 0
    return withUnsafeMutablePointer(to: &here) { UInt(bitPattern: $0) > floor }
  }
}
