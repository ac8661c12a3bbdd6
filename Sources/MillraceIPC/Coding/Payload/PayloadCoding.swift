/// The three ways in which values travel.
@usableFromInline enum PayloadForm: Sendable {
  /// Values of fixed size, copied as they are.
  case bitwise
  /// A block: of a size that is known before it is written.
  case block(BlockCoding)
  /// Encoded: its size is known afterwards.
  case coded(CodedPayload)
}

/// How the values of one type travel between two processes of the same executable.
///
/// Made by `Payload.coding(for:)`.
///
/// Bitwise-copyable types go as they lie in memory, and what arrives is taken as it is: their bytes must come from a worker, not
/// from a stranger. Whatever they point to stays behind. All other types check what they read.
package struct PayloadCoding<Value>: Sendable {
  @usableFromInline let form: PayloadForm

  @inlinable init(_ form: PayloadForm) { self.form = form }

  /// The bytes that each value takes, for types whose values all take the same; 0 for `Void` and its like.
  @inlinable package var fixedStride: Int? {
    guard case .bitwise = form else { return nil }
    return Self.stride
  }

  @inlinable static var stride: Int { MemoryLayout<Value>.size == 0 ? 0 : MemoryLayout<Value>.stride }

  /// The bytes that `write` will write, or nil where only `encode` finds out.
  @inlinable package func byteCount(of value: Value) -> Int? {
    switch form {
    case .bitwise: Self.stride
    case .block(let blocks): withUnsafePointer(to: value) { blocks.byteCount(of: $0) }
    case .coded: nil
    }
  }

  // MARK: - Writing

  /// Appends `value`.
  ///
  /// - Throws: what the value's own `encode(to:)` throws, and `MemoryError`; the writer is as before then. Bitwise types never throw.
  @inlinable package func encode(_ value: Value, into writer: inout ByteWriter) throws {
    try withUnsafePointer(to: value) { try encode(at: $0, into: &writer) }
  }

  /// Appends the value that is at an address, without copying it before.
  package func encode(at value: UnsafePointer<Value>, into writer: inout ByteWriter) throws {
    switch form {
    case .bitwise:
      writer.appendUninitialized(Self.stride).copyMemory(from: value, byteCount: MemoryLayout<Value>.size)
    case .block(let blocks):
      let count = blocks.byteCount(of: value)
      try writer.makeRoom(for: count)
      blocks.write(value, to: writer.appendUninitialized(count))
    case .coded(let payload): try payload.encode(value, into: &writer)
    }
  }

  /// Copies `value` to where `byteCount(of:)` bytes are reserved, in shared memory for instance.
  ///
  /// Only for types that have a byte count.
  @inlinable package func write(_ value: Value, to target: UnsafeMutableRawPointer) {
    switch form {
    case .bitwise: Self.copy(value, to: target)
    case .block(let blocks): withUnsafePointer(to: value) { blocks.write($0, to: target) }
    case .coded: preconditionFailure("the size of a coded value is not known beforehand")
    }
  }

  @inlinable @inline(__always) static func copy(_ value: Value, to target: UnsafeMutableRawPointer) {
    withUnsafePointer(to: value) { target.copyMemory(from: $0, byteCount: MemoryLayout<Value>.size) }
  }

  // MARK: - Reading

  /// The value that all of `bytes` are, copied out of them; no alignment is needed.
  ///
  /// - Throws: `PayloadError.malformed`, `DecodingError`, or what the value's own `init(from:)` throws.
  @inlinable package func decode(from bytes: UnsafeRawBufferPointer) throws -> Value {
    try making(Value.self) { try decode(from: bytes, into: $0.assumingMemoryBound(to: Value.self)) }
  }

  /// Makes the value that all of `bytes` are in uninitialised memory.
  package func decode(from bytes: UnsafeRawBufferPointer, into value: UnsafeMutablePointer<Value>) throws {
    switch form {
    case .bitwise:
      guard bytes.count == Self.stride else { throw malformed(bytes) }
      if let source = bytes.baseAddress {
        UnsafeMutableRawPointer(value).copyMemory(from: source, byteCount: MemoryLayout<Value>.size)
      }
    case .block(let blocks):
      guard blocks.read(bytes, into: value) else { throw malformed(bytes) }
    case .coded(let payload):
      try payload.decode(bytes, into: value)
    }
  }

  @usableFromInline func malformed(_ bytes: UnsafeRawBufferPointer) -> PayloadError {
    .malformed(readableTypeName(Value.self), byteCount: bytes.count)
  }
}
