/// How values travel whose size only encoding tells.
///
/// As in `BlockCoding`, values are given by address.
@usableFromInline package class CodedPayload: @unchecked Sendable {
  // Sendable because subclasses have nothing but Sendable constants.

  @usableFromInline package func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    fatalError("abstract")
  }

  /// Makes a value of all of `bytes` in the uninitialised memory `value`.
  @usableFromInline package func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    fatalError("abstract")
  }
}

/// Any other `Codable` type, by the binary coder.
final class CodablePayload<Value: Codable>: CodedPayload, @unchecked Sendable {
  private let encoder = BinaryEncoder()
  private let decoder = BinaryDecoder()

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    try encoder.encode(at: value.assumingMemoryBound(to: Value.self), into: &writer)
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    value.initializeMemory(as: Value.self, to: try decoder.decode(Value.self, from: bytes))
  }
}

/// The output of work that always throws: there is no value to send, and none to make of any bytes.
final class NeverPayload: CodedPayload, @unchecked Sendable {
  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) {}

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    throw PayloadError.malformed("Never", byteCount: bytes.count)
  }
}
