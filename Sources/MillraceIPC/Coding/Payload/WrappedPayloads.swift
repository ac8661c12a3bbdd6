/// Types of the standard library that hold values of others: where `Codable` does not know how those travel, the value is taken apart.
protocol WrappingValues {
  static var wrapped: [Any.Type] { get }
  /// - Parameter wrapped: how each of the wrapped types travels.
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload
}

extension Optional: WrappingValues {
  static var wrapped: [Any.Type] { [Wrapped.self] }
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload { OptionalPayload<Wrapped>(wrapped[0]) }
}

extension Array: WrappingValues {}
extension ContiguousArray: WrappingValues {}
/// Slices arrive with indices from 0, as they do with every other coder.
extension ArraySlice: WrappingValues {}

extension WrappingValues where Self: RangeReplaceableCollection {
  static var wrapped: [Any.Type] { [Element.self] }
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload { ArrayPayload<Self>(wrapped[0]) }
}

extension Set: WrappingValues {
  static var wrapped: [Any.Type] { [Element.self] }
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload { SetPayload<Element>(wrapped[0]) }
}

extension Dictionary: WrappingValues {
  static var wrapped: [Any.Type] { [Key.self, Value.self] }
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload {
    DictionaryPayload<Key, Value>(wrapped[0], wrapped[1])
  }
}

@available(macOS 26, *)
extension InlineArray: WrappingValues {
  static var wrapped: [Any.Type] { [Element.self] }
  static func payload(_ wrapped: [PayloadForm]) -> CodedPayload { InlineArrayPayload<count, Element>(wrapped[0]) }
}

/// A byte that tells whether there is a value, and the value.
private final class OptionalPayload<Wrapped>: CodedPayload, @unchecked Sendable {
  private let coding: EnclosedValueCoding<Wrapped>

  init(_ form: PayloadForm) { coding = EnclosedValueCoding(form) }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    guard let wrapped = value.assumingMemoryBound(to: Wrapped?.self).pointee else { return writer.append(UInt8(0)) }
    writer.append(UInt8(1))
    try withUnsafePointer(to: wrapped) { try coding.write($0, to: &writer) }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let optional = try decoding(Wrapped?.self, bytes) { reader, position in
      position = 1
      switch try reader.load(UInt8.self, at: 0) {
      case 0: return Wrapped?.none
      case 1: return try coding.value(reader, at: &position)
      default: throw ByteReader.Malformed(offset: 0, reason: "neither a value nor none")
      }
    }
    value.initializeMemory(as: Wrapped?.self, to: optional)
  }
}

/// The number of elements, and the elements, none of which is without bytes.
private final class ArrayPayload<Elements: RangeReplaceableCollection>: CodedPayload, @unchecked Sendable {
  private typealias Element = Elements.Element
  private let coding: EnclosedValueCoding<Element>

  init(_ form: PayloadForm) { coding = EnclosedValueCoding(form) }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let elements = value.assumingMemoryBound(to: Elements.self)
    writer.append(elements.pointee.count)
    // The three arrays have all their elements in one place.
    let written: Void? = try elements.pointee.withContiguousStorageIfAvailable { elements in
      guard var element = elements.baseAddress else { return }
      for _ in elements.indices {
        try coding.write(element, to: &writer)
        element += 1
      }
    }
    precondition(written != nil)
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let elements = try decoding(Elements.self, bytes) { reader, position in
      let count = try reader.elementCount(at: &position)
      var elements = Elements()
      // What the bytes justify, whatever the count says.
      elements.reserveCapacity(min(count, bytes.count / MemoryLayout<Element>.stride))
      for _ in 0..<count { elements.append(try coding.value(reader, at: &position)) }
      return elements
    }
    value.initializeMemory(as: Elements.self, to: elements)
  }
}

/// The elements.
@available(macOS 26, *)
private final class InlineArrayPayload<let count: Int, Element>: CodedPayload, @unchecked Sendable {
  private let coding: EnclosedValueCoding<Element>

  init(_ form: PayloadForm) { coding = EnclosedValueCoding(form) }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let element = value.assumingMemoryBound(to: Element.self)
    for index in 0..<count { try coding.write(element + index, to: &writer) }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let elements = try decoding(InlineArray<count, Element>.self, bytes) { reader, position in
      try InlineArray<count, Element> { _ throws(any Error) in try coding.value(reader, at: &position) }
    }
    value.initializeMemory(as: InlineArray<count, Element>.self, to: elements)
  }
}

/// The number of elements, and the elements in any order.
private final class SetPayload<Element: Hashable>: CodedPayload, @unchecked Sendable {
  private let coding: EnclosedValueCoding<Element>

  init(_ form: PayloadForm) { coding = EnclosedValueCoding(form) }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let elements = value.assumingMemoryBound(to: Set<Element>.self)
    writer.append(elements.pointee.count)
    for element in elements.pointee { try withUnsafePointer(to: element) { try coding.write($0, to: &writer) } }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let elements = try decoding(Set<Element>.self, bytes) { reader, position in
      let count = try reader.elementCount(at: &position)
      var elements: Set<Element> = []
      for _ in 0..<count {
        guard elements.insert(try coding.value(reader, at: &position)).inserted else {
          throw ByteReader.Malformed(offset: position, reason: "an element comes twice")
        }
      }
      return elements
    }
    value.initializeMemory(as: Set<Element>.self, to: elements)
  }
}

/// The number of keys, and each key with its value, in any order.
private final class DictionaryPayload<Key: Hashable, Value>: CodedPayload, @unchecked Sendable {
  private let keys: EnclosedValueCoding<Key>
  private let values: EnclosedValueCoding<Value>

  init(_ keys: PayloadForm, _ values: PayloadForm) {
    self.keys = EnclosedValueCoding(keys)
    self.values = EnclosedValueCoding(values)
  }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let elements = value.assumingMemoryBound(to: [Key: Value].self)
    writer.append(elements.pointee.count)
    for (key, value) in elements.pointee {
      try withUnsafePointer(to: key) { try keys.write($0, to: &writer) }
      try withUnsafePointer(to: value) { try values.write($0, to: &writer) }
    }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let elements = try decoding([Key: Value].self, bytes) { reader, position in
      let count = try reader.elementCount(at: &position)
      var elements: [Key: Value] = [:]
      for _ in 0..<count {
        let key = try keys.value(reader, at: &position)
        let value = try values.value(reader, at: &position)
        guard elements.updateValue(value, forKey: key) == nil else {
          throw ByteReader.Malformed(offset: position, reason: "a key comes twice")
        }
      }
      return elements
    }
    value.initializeMemory(as: [Key: Value].self, to: elements)
  }
}

extension ByteReader {
  /// How many elements follow, of which each has a byte at least, unless it is the only one of its type; and the position is behind that.
  fileprivate func elementCount(at position: inout Int) throws(Malformed) -> Int {
    let number = try load(Int.self, at: position)
    position += 8
    guard number >= 0, number <= max(1, count - position) else {
      throw Malformed(offset: position, reason: "more elements than bytes")
    }
    return number
  }
}

/// Reads all of `bytes`.
private func decoding<Value>(
  _ type: Value.Type, _ bytes: UnsafeRawBufferPointer, _ read: (ByteReader, inout Int) throws -> Value
) throws -> Value {
  do {
    var position = 0
    let value = try read(ByteReader(bytes), &position)
    guard position == bytes.count else { throw ByteReader.Malformed(offset: position, reason: "more than the value") }
    return value
  } catch is ByteReader.Malformed {
    throw PayloadError.malformed(readableTypeName(type), byteCount: bytes.count)
  }
}
