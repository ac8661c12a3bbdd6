/// How a value travels among others: as `PayloadCoding` has it, with its size in front where the type does not tell it.
///
/// Values are given by address, for the reason that `BlockCoding` tells.
class EnclosedCoding: @unchecked Sendable {
  // Sendable because the subclass has nothing but Sendable constants.

  func write(_ value: UnsafeRawPointer, to writer: inout ByteWriter) throws { fatalError("abstract") }

  /// Makes the value that begins at `position`, which is behind it afterwards, in uninitialised memory.
  func read(_ reader: ByteReader, at position: inout Int, into value: UnsafeMutableRawPointer) throws {
    fatalError("abstract")
  }

  func destroy(_ value: UnsafeMutableRawPointer) { fatalError("abstract") }
}

final class EnclosedValueCoding<Value>: EnclosedCoding, @unchecked Sendable {
  private let form: PayloadForm

  init(_ form: PayloadForm) { self.form = form }

  override func write(_ value: UnsafeRawPointer, to writer: inout ByteWriter) throws {
    switch form {
    case .bitwise:
      let count = MemoryLayout<Value>.size
      writer.appendUninitialized(count).copyMemory(from: value, byteCount: count)
    case .block(let blocks):
      let count = blocks.byteCount(of: value)
      try writer.makeRoom(for: 10 + count)
      writer.append(varint: count)
      blocks.write(value, to: writer.appendUninitialized(count))
    case .coded(let payload):
      let start = writer.count
      writer.append(UInt64(0))
      try payload.encode(value, into: &writer)
      writer.replace(at: start, with: UInt64(writer.count - start - 8))
    }
  }

  override func read(_ reader: ByteReader, at position: inout Int, into value: UnsafeMutableRawPointer) throws {
    switch form {
    case .bitwise:
      let bytes = try reader.bytes(MemoryLayout<Value>.size, at: position)
      UnsafeMutableRawBufferPointer(start: value, count: bytes.count).copyMemory(from: bytes)
      position += bytes.count
    case .block(let blocks):
      let (count, start) = try reader.varint(at: position)
      guard blocks.read(try reader.bytes(count, at: start), into: value) else {
        throw ByteReader.Malformed(offset: position, reason: "a block is of another type")
      }
      position = start + count
    case .coded(let payload):
      let end = try reader.containerEnd(at: position)
      let start = position + 8
      try payload.decode(try reader.bytes(end - start, at: start), into: value)
      position = end
    }
  }

  /// The value that begins at `position`, which is behind it afterwards.
  func value(_ reader: ByteReader, at position: inout Int) throws -> Value {
    try making(Value.self) { try read(reader, at: &position, into: $0) }
  }

  override func destroy(_ value: UnsafeMutableRawPointer) {
    value.assumingMemoryBound(to: Value.self).deinitialize(count: 1)
  }
}

/// How values of a type travel among others, in the given form.
func enclosed(_ type: Any.Type, _ form: PayloadForm) -> EnclosedCoding {
  func coding<T>(_: T.Type) -> EnclosedCoding { EnclosedValueCoding<T>(form) }
  return _openExistential(type, do: coding)
}
