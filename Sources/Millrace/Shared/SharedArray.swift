import MillraceIPC

/// An array of fixed length in memory that the program and its workers have in common, on every backend of this machine.
///
/// What one of them writes, all see: on threads it is the same memory anyway, worker processes have it mapped. It goes to them in a
/// worker's configuration, in items and captured by closures, and comes back in outputs, without its elements being
/// copied.
///
/// ```swift
/// let squares = try SharedArray<Int>(count: 1_000)
/// try await pool.forEach(0..<1_000) { squares[$0] = $0 * $0 }
/// ```
///
/// A copy of a `SharedArray` is the same array. It has no name, and its memory is gone with the last one that has it, in whichever
/// process. All of it is there when it is made: where there is not so much memory, or no descriptor left for it, that is an
/// error then (``SystemError``).
///
/// **Who may write what.** Elements are plain memory. As long as nobody writes what another one reads or writes at the same
/// time, as where each item has elements of its own, nothing else is needed. Where that is not so, take the lock:
/// ``withLock(_:)``.
///
/// No other coder than Millrace's own for workers encodes it: `JSONEncoder` and its like are refused with a ``TransportError``.
public struct SharedArray<Element: BitwiseCopyable>: RandomAccessCollection {
  let block: SharedBlock
  private let start: UnsafeMutablePointer<Element>
  /// How many elements there are.
  public let count: Int

  /// An array of zeros: of elements all of whose bytes are 0.
  ///
  /// - Parameters:
  ///   - count: How many elements; not below 0.
  ///   - lock: Whether there is a lock with it.
  /// - Throws: ``InvalidOption`` if `count` is below 0; ``SystemError`` if there is not so much memory, or no descriptor;
  ///   ``TransportError`` if the address of something is in an element.
  public init(count: Int, lock: Bool = true) throws {
    try SharedObject.check(Element.self, name: Self.name)
    let bytes = try SharedObject.bytes(count, of: MemoryLayout<Element>.stride, name: Self.name)
    let block = try SharedObject.make(
      .array, stride: MemoryLayout<Element>.stride, bytes: bytes, hasLock: lock, name: Self.name)
    self.init(block, count: count)
  }

  /// An array of so many times the same.
  public init(repeating element: Element, count: Int, lock: Bool = true) throws {
    try self.init(count: count, lock: lock)
    start.update(repeating: element, count: count)
  }

  /// An array of these elements.
  public init(_ elements: some Collection<Element>, lock: Bool = true) throws {
    try self.init(count: elements.count, lock: lock)
    _ = UnsafeMutableBufferPointer(start: start, count: count).update(fromContentsOf: elements)
  }

  private init(_ block: SharedBlock, count: Int) {
    precondition(MemoryLayout<Element>.alignment <= SharedHeader.size, "\(Element.self) wants to be aligned too well")
    self.block = block
    self.count = count
    start = block.content.assumingMemoryBound(to: Element.self)
  }

  private static var name: String { readableTypeName(Self.self) }

  /// 0.
  public var startIndex: Int { 0 }
  /// The number of elements.
  public var endIndex: Int { count }

  /// The element at an index. Traps beyond the end, as an array does.
  public subscript(index: Int) -> Element {
    get {
      if index < 0 || index >= count { SharedObject.outOfRange(index, of: count, in: Self.name) }
      return start[index]
    }
    nonmutating set {
      if index < 0 || index >= count { SharedObject.outOfRange(index, of: count, in: Self.name) }
      start[index] = newValue
    }
  }

  // MARK: All of it

  /// Calls the body with a view of the elements.
  public func withSpan<R, E: Error>(_ body: (Span<Element>) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    return try body(Span(_unsafeStart: start, count: count))
  }

  /// Calls the body with a view of the elements through which they can be written.
  ///
  /// It does not take the lock; ``withLock(_:)`` does.
  public func withMutableSpan<R, E: Error>(_ body: (inout MutableSpan<Element>) throws(E) -> R) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    var span = MutableSpan(_unsafeStart: start, count: count)
    return try body(&span)
  }

  /// Calls the body with the place of the elements.
  public func withUnsafeBufferPointer<R, E: Error>(
    _ body: (UnsafeBufferPointer<Element>) throws(E) -> R
  ) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    return try body(UnsafeBufferPointer(start: start, count: count))
  }

  /// Calls the body with the place of the elements, to write there.
  public func withUnsafeMutableBufferPointer<R, E: Error>(
    _ body: (UnsafeMutableBufferPointer<Element>) throws(E) -> R
  ) throws(E) -> R {
    defer { withExtendedLifetime(block) {} }
    return try body(UnsafeMutableBufferPointer(start: start, count: count))
  }

  /// Calls the body with all of it in one piece, which it always is.
  public func withContiguousStorageIfAvailable<R>(_ body: (UnsafeBufferPointer<Element>) throws -> R) rethrows -> R? {
    try withUnsafeBufferPointer(body)
  }

  // MARK: The lock

  /// Whether there is a lock with it.
  public var hasLock: Bool { block.header.hasLock }

  /// Calls the body with the elements while nobody else, in any process, is in `withLock` of this array. Waits for that.
  ///
  /// A worker that dies in it gives the lock up: the next one has it, and ``isPoisoned`` tells that what it finds may be
  /// half-written.
  ///
  /// Traps if the array was made without a lock, or the calling thread is in `withLock` of it already.
  public func withLock<R, E: Error>(_ body: (inout MutableSpan<Element>) throws(E) -> R) throws(E) -> R {
    let lock = SharedGuard(block, name: "SharedArray")
    defer { lock.end() }
    return try withMutableSpan(body)
  }

  /// Whether a worker has died in ``withLock(_:)``, as whoever took the lock next has found, so that the elements may be half-written, and nobody has called
  /// ``clearPoison()`` since.
  public var isPoisoned: Bool { block.header.isPoisoned }

  /// The elements are right again: call it in ``withLock(_:)``, when you have seen to that.
  public func clearPoison() { block.header.isPoisoned = false }
}

// Sound: the memory may be written by others at any time anyway, and its owner says who writes what.
extension SharedArray: @unchecked Sendable where Element: Sendable {}

extension SharedArray: InCommonMemory {}

extension SharedArray: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    let stride = MemoryLayout<Element>.stride
    let block = try SharedObject.decode(
      from: decoder, SharedObject.Kind.array.signature(stride: stride), name: Self.name)
    self.init(block, count: block.token.size / Swift.max(1, stride))
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    try SharedObject.encode(block, to: encoder, name: Self.name)
  }
}

extension SharedArray: CustomStringConvertible {
  /// The type, and how much it holds.
  public var description: String { "\(Self.self)(\(count) elements)" }
}
