/// How values travel whose size only encoding tells.
package class CodedPayload<Value>: @unchecked Sendable {
  // Sendable because subclasses have nothing but Sendable constants.

  package func encode(_ value: Value, into writer: inout ByteWriter) throws { fatalError("abstract") }

  package func decode(from bytes: UnsafeRawBufferPointer) throws -> Value { fatalError("abstract") }
}

/// Any other `Codable` type, by the binary coder.
final class CodablePayload<Value: Codable>: CodedPayload<Value>, @unchecked Sendable {
  private let encoder = BinaryEncoder()
  private let decoder = BinaryDecoder()

  override func encode(_ value: Value, into writer: inout ByteWriter) throws {
    try encoder.encode(value, into: &writer)
  }

  override func decode(from bytes: UnsafeRawBufferPointer) throws -> Value {
    try decoder.decode(Value.self, from: bytes)
  }
}

/// The output of work that always throws: there is no value to send, and none to make of any bytes.
final class NeverPayload<Value>: CodedPayload<Value>, @unchecked Sendable {
  override func encode(_ value: Value, into writer: inout ByteWriter) {}

  override func decode(from bytes: UnsafeRawBufferPointer) throws -> Value {
    throw PayloadError.malformed("Never", byteCount: bytes.count)
  }
}
