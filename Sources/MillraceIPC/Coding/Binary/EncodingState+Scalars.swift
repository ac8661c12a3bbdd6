extension EncodingState {
  @inline(__always) func write(tag: UInt8) { writer.append(tag) }

  @inline(__always) func write(_ value: Bool) { writer.append(value ? Tag.yes : Tag.no) }

  @inline(__always) func write(_ value: Float) { write(Tag.float, value.bitPattern) }

  @inline(__always) func write(_ value: Double) { write(Tag.double, value.bitPattern) }

  @inline(__always) private func write<T: BitwiseCopyable>(_ tag: UInt8, _ value: T) {
    writer.reserve(1 + MemoryLayout<T>.size)
    writer.storeReserved(tag)
    writer.storeReserved(value)
  }

  /// Writes an integer in the smallest width that holds it.
  @inline(__always) func write<I: FixedWidthInteger & BitwiseCopyable>(integer value: I) {
    if value >= 0, value <= 127 {
      writer.append(Tag.smallInteger | UInt8(truncatingIfNeeded: value))
    } else if let small = Int64(exactly: value) {
      writeWide(small)
    } else if let word = UInt64(exactly: value) {
      write(Tag.uint64, word)
    } else if I.isSigned {
      write(Tag.int128, Int128(truncatingIfNeeded: value))
    } else {
      write(Tag.uint128, UInt128(truncatingIfNeeded: value))
    }
  }

  private func writeWide(_ value: Int64) {
    if let byte = Int8(exactly: value) {
      write(Tag.int8, byte)
    } else if let short = Int16(exactly: value) {
      write(Tag.int16, short)
    } else if let word = Int32(exactly: value) {
      write(Tag.int32, word)
    } else {
      write(Tag.int64, value)
    }
  }

  func write(_ value: String) throws {
    try withUTF8Bytes(of: value) { bytes in
      try writer.makeRoom(for: 11 + bytes.count)
      if bytes.count < 64 {
        writer.storeReserved(Tag.shortString | UInt8(truncatingIfNeeded: bytes.count))
      } else {
        writer.append(Tag.string)
        writer.append(varint: bytes.count)
      }
      writer.append(contentsOf: bytes)
    }
  }

  /// Writes a block of scalars, its bytes copied from `bytes`.
  func writeBlock(of element: UInt8, byteCount: Int, copy: (UnsafeMutableRawPointer) -> Void) throws {
    try writer.makeRoom(for: 12 + byteCount)
    writer.storeReserved(Tag.block)
    writer.storeReserved(element)
    writer.append(varint: byteCount)
    copy(writer.appendUninitialized(byteCount))
  }
}

/// Calls `body` with the UTF-8 of `text`, without a copy where the string has it contiguous (on Linux always).
@inline(__always) func withUTF8Bytes<R>(of text: String, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
  if let result = try text.utf8.withContiguousStorageIfAvailable({ try body(UnsafeRawBufferPointer($0)) }) {
    return result
  }
  var copy = text
  return try copy.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
}
