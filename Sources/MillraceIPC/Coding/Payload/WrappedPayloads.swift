/// Optionals and arrays of values that travel by their stored properties: `Codable` would not know how.
protocol WrappingValues {
  static var wrapped: Any.Type { get }
  static func payload(_ wrapped: PayloadForm) -> CodedPayload
}

extension Optional: WrappingValues {
  static var wrapped: Any.Type { Wrapped.self }
  static func payload(_ wrapped: PayloadForm) -> CodedPayload { OptionalPayload<Wrapped>(wrapped) }
}

extension Array: WrappingValues {
  static var wrapped: Any.Type { Element.self }
  static func payload(_ wrapped: PayloadForm) -> CodedPayload { ArrayPayload<Element>(wrapped) }
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
      case 1:
        return try making(Wrapped.self) {
          try coding.read(reader, at: &position, into: $0)
        }
      default: throw ByteReader.Malformed(offset: 0, reason: "neither a value nor none")
      }
    }
    value.initializeMemory(as: Wrapped?.self, to: optional)
  }
}

/// The number of elements, and the elements, none of which is without bytes.
private final class ArrayPayload<Element>: CodedPayload, @unchecked Sendable {
  private let coding: EnclosedValueCoding<Element>

  init(_ form: PayloadForm) { coding = EnclosedValueCoding(form) }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    let elements = value.assumingMemoryBound(to: [Element].self)
    writer.append(elements.pointee.count)
    try elements.pointee.withUnsafeBufferPointer { elements in
      guard var element = elements.baseAddress else { return }
      for _ in elements.indices {
        try coding.write(element, to: &writer)
        element += 1
      }
    }
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    let elements = try decoding([Element].self, bytes) { reader, position in
      let count = try reader.load(Int.self, at: 0)
      position = 8
      guard count >= 0, count <= bytes.count - 8 else {
        throw ByteReader.Malformed(offset: 0, reason: "more elements than bytes")
      }
      var elements: [Element] = []
      // What the bytes justify, whatever the count says.
      elements.reserveCapacity(min(count, bytes.count / MemoryLayout<Element>.stride))
      for _ in 0..<count {
        elements.append(
          try making(Element.self) {
            try coding.read(reader, at: &position, into: $0)
          })
      }
      return elements
    }
    value.initializeMemory(as: [Element].self, to: elements)
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
