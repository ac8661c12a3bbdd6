extension DecodingState {
  func isNil(_ slot: Slot) -> Bool {
    if slot.tag == Tag.object { return noting { isNil(try unmarked(slot).slot) } ?? false }
    return slot.tag == Tag.null || slot.tag == Tag.some
  }

  @inline(__always) func bool(_ slot: Slot) throws -> Bool {
    switch slot.tag {
    case Tag.yes: return true
    case Tag.no: return false
    case Tag.some, Tag.object: return try bool(innermost(slot))
    default: throw mismatch(Bool.self, slot)
    }
  }

  func string(_ slot: Slot) throws -> String {
    if let bytes = try reader.string(slot.tag, at: slot.offset) {
      if let text = String(validUTF8: bytes) { return text }
      throw corrupted(slot.start, "A string is not UTF-8.")
    }
    if slot.tag == Tag.some || slot.tag == Tag.object { return try string(innermost(slot)) }
    throw mismatch(String.self, slot)
  }

  /// An integer of any width, as long as it fits.
  @inline(__always) func integer<I: FixedWidthInteger>(_ slot: Slot) throws -> I {
    if slot.tag >= Tag.smallInteger { return I(truncatingIfNeeded: slot.tag & 0x7F) }
    return try wideInteger(slot)
  }

  private func wideInteger<I: FixedWidthInteger>(_ slot: Slot) throws -> I {
    let at = slot.offset
    let value: I? =
      switch slot.tag {
      case Tag.int8: I(exactly: try reader.load(Int8.self, at: at))
      case Tag.int16: I(exactly: try reader.load(Int16.self, at: at))
      case Tag.int32: I(exactly: try reader.load(Int32.self, at: at))
      case Tag.int64: I(exactly: try reader.load(Int64.self, at: at))
      case Tag.int128: I(exactly: try reader.load(Int128.self, at: at))
      case Tag.uint8: I(exactly: try reader.load(UInt8.self, at: at))
      case Tag.uint16: I(exactly: try reader.load(UInt16.self, at: at))
      case Tag.uint32: I(exactly: try reader.load(UInt32.self, at: at))
      case Tag.uint64: I(exactly: try reader.load(UInt64.self, at: at))
      case Tag.uint128: I(exactly: try reader.load(UInt128.self, at: at))
      case Tag.some, Tag.object: try wideInteger(innermost(slot))
      default: throw mismatch(I.self, slot)
      }
    guard let value else { throw corrupted(slot.start, "The number does not fit in \(I.self).") }
    return value
  }

  func double(_ slot: Slot) throws -> Double {
    switch slot.tag {
    case Tag.double: return Double(bitPattern: try reader.load(UInt64.self, at: slot.offset))
    case Tag.float: return Double(try float(slot))
    case Tag.some, Tag.object: return try double(innermost(slot))
    default: return try whole(slot)
    }
  }

  func float(_ slot: Slot) throws -> Float {
    switch slot.tag {
    case Tag.float: return Float(bitPattern: try reader.load(UInt32.self, at: slot.offset))
    case Tag.double:
      let value = try double(slot)
      if value.isNaN { return Float(value) }
      guard let exact = Float(exactly: value) else { throw corrupted(slot.start, "The number does not fit in Float.") }
      return exact
    case Tag.some, Tag.object: return try float(innermost(slot))
    default: return try whole(slot)
    }
  }

  /// An integer where a floating-point number is asked for.
  private func whole<F: BinaryFloatingPoint>(_ slot: Slot) throws -> F {
    guard slot.tag >= Tag.smallInteger || (Tag.int8...Tag.uint128).contains(slot.tag) else {
      throw mismatch(F.self, slot)
    }
    let value: Int128 = try integer(slot)
    guard let exact = F(exactly: value) else { throw corrupted(slot.start, "The number does not fit in \(F.self).") }
    return exact
  }
}
