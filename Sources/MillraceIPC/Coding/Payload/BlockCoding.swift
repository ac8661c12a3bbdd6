/// How values of one type travel as one block of bytes: their size is known beforehand, and they are copied exactly once each way.
///
/// Sendable because no subclass has any state.
package class BlockCoding<Value>: @unchecked Sendable {
  /// The number of bytes that `write` writes.
  package func byteCount(of value: Value) -> Int { fatalError("abstract") }

  /// Copies the value to `target`, which has room for `byteCount(of:)` bytes and any alignment.
  package func write(_ value: Value, to target: UnsafeMutableRawPointer) { fatalError("abstract") }

  /// Makes a value of all of `bytes`, copied; nil if they are none.
  package func read(_ bytes: UnsafeRawBufferPointer) -> Value? { fatalError("abstract") }
}

/// Arrays of bitwise-copyable elements, as they lie in memory.
final class ArrayBlocks<Element>: BlockCoding<[Element]>, @unchecked Sendable {
  override func byteCount(of value: [Element]) -> Int { value.count * MemoryLayout<Element>.stride }

  override func write(_ value: [Element], to target: UnsafeMutableRawPointer) {
    value.withUnsafeBytes { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer) -> [Element]? {
    guard let count = elementCount(bytes, of: Element.self) else { return nil }
    return [Element](unsafeUninitializedCapacity: count) { elements, initialized in
      copy(bytes, to: UnsafeMutableRawBufferPointer(elements).baseAddress)
      initialized = count
    }
  }
}

final class ContiguousArrayBlocks<Element>: BlockCoding<ContiguousArray<Element>>, @unchecked Sendable {
  override func byteCount(of value: ContiguousArray<Element>) -> Int { value.count * MemoryLayout<Element>.stride }

  override func write(_ value: ContiguousArray<Element>, to target: UnsafeMutableRawPointer) {
    value.withUnsafeBytes { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer) -> ContiguousArray<Element>? {
    guard let count = elementCount(bytes, of: Element.self) else { return nil }
    return ContiguousArray<Element>(unsafeUninitializedCapacity: count) { elements, initialized in
      copy(bytes, to: UnsafeMutableRawBufferPointer(elements).baseAddress)
      initialized = count
    }
  }
}

/// Slices arrive with indices from 0, as they do with every other coder.
final class ArraySliceBlocks<Element>: BlockCoding<ArraySlice<Element>>, @unchecked Sendable {
  private let arrays = ArrayBlocks<Element>()

  override func byteCount(of value: ArraySlice<Element>) -> Int { value.count * MemoryLayout<Element>.stride }

  override func write(_ value: ArraySlice<Element>, to target: UnsafeMutableRawPointer) {
    value.withUnsafeBytes { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer) -> ArraySlice<Element>? { arrays.read(bytes).map { $0[...] } }
}

/// Strings as UTF-8, validated on arrival.
final class StringBlocks: BlockCoding<String>, @unchecked Sendable {
  override func byteCount(of value: String) -> Int { value.utf8.count }

  override func write(_ value: String, to target: UnsafeMutableRawPointer) {
    withUTF8(of: value) { copy($0, to: target) }
  }

  override func read(_ bytes: UnsafeRawBufferPointer) -> String? { String(validUTF8: bytes) }
}

/// Collections of bytes that are no arrays, `Data` before all.
final class ByteCollectionBlocks<Bytes: RangeReplaceableCollection<UInt8>>: BlockCoding<Bytes>, @unchecked Sendable {
  override func byteCount(of value: Bytes) -> Int { value.count }

  override func write(_ value: Bytes, to target: UnsafeMutableRawPointer) {
    let copied: Void? = value.withContiguousStorageIfAvailable { copy(UnsafeRawBufferPointer($0), to: target) }
    if copied == nil { Array(value).withUnsafeBytes { copy($0, to: target) } }
  }

  override func read(_ bytes: UnsafeRawBufferPointer) -> Bytes? { Bytes(bytes) }
}

@inline(__always) private func copy(_ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer?) {
  guard let source = bytes.baseAddress, bytes.count > 0 else { return }
  target?.copyMemory(from: source, byteCount: bytes.count)
}

@inline(__always) private func elementCount<Element>(_ bytes: UnsafeRawBufferPointer, of: Element.Type) -> Int? {
  let (count, rest) = bytes.count.quotientAndRemainder(dividingBy: MemoryLayout<Element>.stride)
  return rest == 0 ? count : nil
}

extension String {
  /// A copy of `bytes`, or nil if they are not UTF-8.
  @inline(__always) init?(validUTF8 bytes: UnsafeRawBufferPointer) {
    let text = bytes.withMemoryRebound(to: UInt8.self) { String(validating: $0, as: UTF8.self) }
    guard let text else { return nil }
    self = text
  }
}
