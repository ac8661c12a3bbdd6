import MillraceIPC

/// One value in memory that the program and its workers have in common, with a lock: as a ``SharedArray`` of one element.
///
/// ```swift
/// let total = try SharedValue(0.0)
/// try await pool.forEach(prices) { price in total.withLock { $0 += price } }
/// ```
public struct SharedValue<Value: BitwiseCopyable> {
  let block: SharedBlock

  /// A value that is shared from here on.
  ///
  /// - Throws: ``SystemError`` if there is no memory or no descriptor; ``TransportError`` if the address of something is
  ///   in the value.
  public init(_ value: Value) throws {
    try SharedObject.check(Value.self, name: Self.name)
    let size = MemoryLayout<Value>.stride
    block = try SharedObject.make(.value, stride: size, bytes: size, hasLock: true, name: Self.name)
    place.pointee = value
  }

  private static var name: String { readableTypeName(Self.self) }

  private var place: UnsafeMutablePointer<Value> { block.content.assumingMemoryBound(to: Value.self) }

  /// The value, with the lock taken for the moment of reading or writing it.
  ///
  /// Not for what depends on what was there before: that is ``withLock(_:)``.
  public var value: Value {
    get { withLock { $0 } }
    nonmutating set { withLock { $0 = newValue } }
  }

  /// Calls the body with the value while nobody else, in any process, is in `withLock` of it. Waits for that.
  ///
  /// Traps if the calling thread is in `withLock` of it already.
  public func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
    let lock = SharedGuard(block, name: "SharedValue")
    defer { lock.end() }
    return try body(&place.pointee)
  }

  /// Whether a worker has died in ``withLock(_:)``, as whoever took the lock next has found, so that the value may be half-written, and nobody has called
  /// ``clearPoison()`` since.
  public var isPoisoned: Bool { block.header.isPoisoned }

  /// The value is right again: call it in ``withLock(_:)``, when you have seen to that.
  public func clearPoison() { block.header.isPoisoned = false }
}

// Sound: what is in it is read and written with the lock only.
extension SharedValue: @unchecked Sendable where Value: Sendable {}

extension SharedValue: InCommonMemory {}

extension SharedValue: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    let signature = SharedObject.Kind.value.signature(stride: MemoryLayout<Value>.stride)
    block = try SharedObject.decode(
      from: decoder, signature, atLeast: MemoryLayout<Value>.stride, name: Self.name)
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    try SharedObject.encode(block, to: encoder, name: Self.name)
  }
}
