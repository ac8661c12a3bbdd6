/// Scalars, strings and booleans: what containers have a call of their own for.
protocol Scalar: ShortcutProviding {
  func encode(to state: EncodingState) throws
  static func decode(_ slot: Slot, from state: DecodingState) throws -> Self
}

final class ScalarEncoding<Value: Scalar>: EncodingShortcut {
  override func encode(_ value: UnsafeRawPointer, to state: EncodingState) throws {
    try value.assumingMemoryBound(to: Value.self).pointee.encode(to: state)
  }
}

final class ScalarDecoding<Value: Scalar>: DecodingShortcut {
  override func decode(_ slot: Slot, from state: DecodingState, into value: UnsafeMutableRawPointer) throws {
    value.initializeMemory(as: Value.self, to: try Value.decode(slot, from: state))
  }
}

extension Scalar {
  static func encodingShortcut() -> EncodingShortcut? { ScalarEncoding<Self>() }
  static func decodingShortcut() -> DecodingShortcut? { ScalarDecoding<Self>() }
}

/// Scalars that may lie in a block: every pattern of bits in them is a valid value.
protocol BlockScalar: Scalar {
  /// The tag under which a block names its elements.
  static var tag: UInt8 { get }
}

extension FixedWidthInteger where Self: BitwiseCopyable {
  func encode(to state: EncodingState) { state.write(integer: self) }
  static func decode(_ slot: Slot, from state: DecodingState) throws -> Self { try state.integer(slot) }
}

extension Int: BlockScalar { static var tag: UInt8 { Tag.int64 } }
extension Int8: BlockScalar { static var tag: UInt8 { Tag.int8 } }
extension Int16: BlockScalar { static var tag: UInt8 { Tag.int16 } }
extension Int32: BlockScalar { static var tag: UInt8 { Tag.int32 } }
extension Int64: BlockScalar { static var tag: UInt8 { Tag.int64 } }
extension Int128: BlockScalar { static var tag: UInt8 { Tag.int128 } }
extension UInt: BlockScalar { static var tag: UInt8 { Tag.uint64 } }
extension UInt8: BlockScalar { static var tag: UInt8 { Tag.uint8 } }
extension UInt16: BlockScalar { static var tag: UInt8 { Tag.uint16 } }
extension UInt32: BlockScalar { static var tag: UInt8 { Tag.uint32 } }
extension UInt64: BlockScalar { static var tag: UInt8 { Tag.uint64 } }
extension UInt128: BlockScalar { static var tag: UInt8 { Tag.uint128 } }

extension Float: BlockScalar {
  static var tag: UInt8 { Tag.float }
  func encode(to state: EncodingState) { state.write(self) }
  static func decode(_ slot: Slot, from state: DecodingState) throws -> Float { try state.float(slot) }
}

extension Double: BlockScalar {
  static var tag: UInt8 { Tag.double }
  func encode(to state: EncodingState) { state.write(self) }
  static func decode(_ slot: Slot, from state: DecodingState) throws -> Double { try state.double(slot) }
}

extension Bool: Scalar {
  func encode(to state: EncodingState) { state.write(self) }
  static func decode(_ slot: Slot, from state: DecodingState) throws -> Bool { try state.bool(slot) }
}

extension String: Scalar {
  func encode(to state: EncodingState) throws { try state.write(self) }
  static func decode(_ slot: Slot, from state: DecodingState) throws -> String { try state.string(slot) }
}
