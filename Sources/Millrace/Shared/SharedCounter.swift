import MillraceIPC
import Synchronization

/// A number that the program and its workers count with, all at once, without a lock.
///
/// ```swift
/// let done = try SharedCounter()
/// try await pool.forEach(files) { file in
///   try shrink(file)
///   done.increment()
/// }
/// ```
public struct SharedCounter: Sendable {
  let block: SharedBlock

  /// A counter.
  ///
  /// - Throws: ``SystemError`` if there is no memory or no descriptor for it.
  public init(_ value: Int = 0) throws {
    block = try SharedObject.make(.counter, bytes: 8, name: "SharedCounter")
    self.value = value
  }

  private var word: UnsafePointer<Atomic<Int>> {
    UnsafePointer(block.content.assumingMemoryBound(to: Atomic<Int>.self))
  }

  /// What it counts now.
  public var value: Int {
    get { word.pointee.load(ordering: .sequentiallyConsistent) }
    nonmutating set { word.pointee.store(newValue, ordering: .sequentiallyConsistent) }
  }

  /// Adds to it; what it counts then. It wraps around beyond the largest number.
  @discardableResult
  public func add(_ amount: Int) -> Int {
    word.pointee.wrappingAdd(amount, ordering: .sequentiallyConsistent).newValue
  }

  /// Adds one; what it counts then.
  @discardableResult
  public func increment() -> Int { add(1) }
}

extension SharedCounter: InCommonMemory {}

extension SharedCounter: Codable {
  /// What came from another process: only Millrace's own coder for workers can bring it.
  public init(from decoder: any Decoder) throws {
    block = try SharedObject.decode(
      from: decoder, SharedObject.Kind.counter.signature(), atLeast: MemoryLayout<Int>.size, name: "SharedCounter")
  }

  /// Names it to another process, for Millrace's own coder for workers; throws a ``TransportError`` for any other.
  public func encode(to encoder: any Encoder) throws {
    try SharedObject.encode(block, to: encoder, name: "SharedCounter")
  }
}
