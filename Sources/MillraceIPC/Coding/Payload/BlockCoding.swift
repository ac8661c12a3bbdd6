internal import CMillrace

/// How values of one type travel as one block of bytes: their size is known beforehand, and they are copied exactly once each way.
///
/// The calls take addresses of values, so that generic code needs no metadata of generic types for them: to look that up takes
/// longer than all the rest. Who made the object knows the type. It is Sendable because no subclass has any state.
@usableFromInline package class BlockCoding: @unchecked Sendable {
  /// The number of bytes that `write` writes.
  @usableFromInline package func byteCount(of value: UnsafeRawPointer) -> Int { fatalError("abstract") }

  /// Copies the value to `target`, which has room for `byteCount(of:)` bytes and any alignment.
  @usableFromInline package func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    fatalError("abstract")
  }

  /// Makes a value of all of `bytes`, copied, in the uninitialised memory `value`; false if they are none.
  @usableFromInline package func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    fatalError("abstract")
  }
}

/// The three kinds of arrays that lie in memory as one block.
protocol ContiguousElements<Element> {
  associatedtype Element
  var count: Int { get }
  func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R
  init(copying count: Int, _ bytes: UnsafeRawBufferPointer)
}

/// Arrays of bitwise-copyable elements, as they lie in memory.
final class ArrayBlocks<Elements: ContiguousElements>: BlockCoding, @unchecked Sendable {
  override func byteCount(of value: UnsafeRawPointer) -> Int {
    value.assumingMemoryBound(to: Elements.self).pointee.count * MemoryLayout<Elements.Element>.stride
  }

  override func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    value.assumingMemoryBound(to: Elements.self).pointee.withUnsafeBytes { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    let (count, rest) = bytes.count.quotientAndRemainder(dividingBy: MemoryLayout<Elements.Element>.stride)
    guard rest == 0 else { return false }
    // The frequent ones by name, for the compiler to make special code of.
    if Elements.self == [UInt8].self {
      value.initializeMemory(as: [UInt8].self, to: [UInt8](copying: count, bytes))
    } else if Elements.self == [Int].self {
      value.initializeMemory(as: [Int].self, to: [Int](copying: count, bytes))
    } else if Elements.self == [Double].self {
      value.initializeMemory(as: [Double].self, to: [Double](copying: count, bytes))
    } else {
      value.initializeMemory(as: Elements.self, to: Elements(copying: count, bytes))
    }
    return true
  }
}

extension Array: ContiguousElements {
  init(copying count: Int, _ bytes: UnsafeRawBufferPointer) {
    self.init(unsafeUninitializedCapacity: count) { elements, initialized in
      millrace_memory_prepare(elements.baseAddress, bytes.count)
      copy(bytes, to: elements.baseAddress)
      initialized = count
    }
  }
}

extension ContiguousArray: ContiguousElements {
  init(copying count: Int, _ bytes: UnsafeRawBufferPointer) {
    self.init(unsafeUninitializedCapacity: count) { elements, initialized in
      millrace_memory_prepare(elements.baseAddress, bytes.count)
      copy(bytes, to: elements.baseAddress)
      initialized = count
    }
  }
}

/// Slices arrive with indices from 0, as they do with every other coder.
extension ArraySlice: ContiguousElements {
  init(copying count: Int, _ bytes: UnsafeRawBufferPointer) { self = [Element](copying: count, bytes)[...] }
}

/// Collections of bytes that are no arrays: `Data`.
final class ByteCollectionBlocks<Bytes: RangeReplaceableCollection<UInt8>>: BlockCoding, @unchecked Sendable {
  override func byteCount(of value: UnsafeRawPointer) -> Int {
    value.assumingMemoryBound(to: Bytes.self).pointee.count
  }

  override func write(_ value: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
    let bytes = value.assumingMemoryBound(to: Bytes.self)
    let copied: Void? = bytes.pointee.withContiguousStorageIfAvailable { copy(UnsafeRawBufferPointer($0), to: target) }
    if copied == nil { Array(bytes.pointee).withUnsafeBytes { copy($0, to: target) } }
  }

  override func read(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) -> Bool {
    value.initializeMemory(as: Bytes.self, to: Bytes(bytes))
    return true
  }
}

@inline(__always) func copy(_ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer?) {
  guard let source = bytes.baseAddress, bytes.count > 0 else { return }
  target?.copyMemory(from: source, byteCount: bytes.count)
}
