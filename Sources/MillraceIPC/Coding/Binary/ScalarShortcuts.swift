/// Integers, whichever width they were written in.
final class IntegerShortcut<I: FixedWidthInteger & BitwiseCopyable & Sendable> {
  final class Encoding: EncodingShortcut<I> {
    override func encode(_ value: I, to state: EncodingState) { state.write(integer: value) }
  }

  final class Decoding: DecodingShortcut<I> {
    override func decode(_ slot: Slot, from state: DecodingState) throws -> I? { try state.integer(slot) }
  }
}

/// Scalars that may lie in a block: every pattern of bits in them is a valid value.
protocol BlockScalar: ShortcutProviding, BitwiseCopyable, Codable {
  /// The tag under which a block names its elements.
  static var tag: UInt8 { get }
}

extension BlockScalar where Self: FixedWidthInteger & Sendable {
  static func encodingShortcut() -> AnyObject? { IntegerShortcut<Self>.Encoding() }
  static func decodingShortcut() -> AnyObject? { IntegerShortcut<Self>.Decoding() }
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

  private final class Encoding: EncodingShortcut<Float> {
    override func encode(_ value: Float, to state: EncodingState) { state.write(value) }
  }

  private final class Decoding: DecodingShortcut<Float> {
    override func decode(_ slot: Slot, from state: DecodingState) throws -> Float? { try state.float(slot) }
  }

  static func encodingShortcut() -> AnyObject? { Encoding() }
  static func decodingShortcut() -> AnyObject? { Decoding() }
}

extension Double: BlockScalar {
  static var tag: UInt8 { Tag.double }

  private final class Encoding: EncodingShortcut<Double> {
    override func encode(_ value: Double, to state: EncodingState) { state.write(value) }
  }

  private final class Decoding: DecodingShortcut<Double> {
    override func decode(_ slot: Slot, from state: DecodingState) throws -> Double? { try state.double(slot) }
  }

  static func encodingShortcut() -> AnyObject? { Encoding() }
  static func decodingShortcut() -> AnyObject? { Decoding() }
}

extension Bool: ShortcutProviding {
  private final class Encoding: EncodingShortcut<Bool> {
    override func encode(_ value: Bool, to state: EncodingState) { state.write(value) }
  }

  private final class Decoding: DecodingShortcut<Bool> {
    override func decode(_ slot: Slot, from state: DecodingState) throws -> Bool? { try state.bool(slot) }
  }

  static func encodingShortcut() -> AnyObject? { Encoding() }
  static func decodingShortcut() -> AnyObject? { Decoding() }
}

extension String: ShortcutProviding {
  private final class Encoding: EncodingShortcut<String> {
    override func encode(_ value: String, to state: EncodingState) { state.write(value) }
  }

  private final class Decoding: DecodingShortcut<String> {
    override func decode(_ slot: Slot, from state: DecodingState) throws -> String? { try state.string(slot) }
  }

  static func encodingShortcut() -> AnyObject? { Encoding() }
  static func decodingShortcut() -> AnyObject? { Decoding() }
}
