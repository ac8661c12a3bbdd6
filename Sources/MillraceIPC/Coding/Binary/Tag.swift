/// The first byte of every value in the binary coding.
///
/// ```
/// value    = tag payload
/// keyed    = length:8 entry*              entry = key value
/// unkeyed  = length:8 count:4 value*      count is `unknownCount` where it does not fit
/// block    = elementTag:1 length:varint   bytes of `length / size(elementTag)` elements, as they lie in memory
/// wrapper  = length:8 value?              what a `superEncoder` wrote; nothing, if it wrote nothing
/// some     = value                        only before `nil`: `.some(nil)` of an optional of an optional
/// object   = length:varint UTF-8 value  what class it was, where that is not the one that the coder was told
/// string   = length:varint UTF-8
/// key      = (length << 1 | hasNumber):varint UTF-8 number:8?
/// ```
///
/// Lengths are in bytes and count what follows their own field. Integers take the smallest width that holds them. All is
/// little-endian or, better, the machine's own order: both ends are the same executable on the same machine.
enum Tag {
  static let null: UInt8 = 0x00
  static let no: UInt8 = 0x01
  static let yes: UInt8 = 0x02
  /// A value that encoded nothing; decodes as an empty container of either kind.
  static let empty: UInt8 = 0x03
  static let int8: UInt8 = 0x04
  static let int16: UInt8 = 0x05
  static let int32: UInt8 = 0x06
  static let int64: UInt8 = 0x07
  static let int128: UInt8 = 0x08
  static let uint8: UInt8 = 0x09
  static let uint16: UInt8 = 0x0A
  static let uint32: UInt8 = 0x0B
  static let uint64: UInt8 = 0x0C
  static let uint128: UInt8 = 0x0D
  static let float: UInt8 = 0x0E
  static let double: UInt8 = 0x0F
  static let string: UInt8 = 0x10
  static let block: UInt8 = 0x11
  static let unkeyed: UInt8 = 0x12
  static let keyed: UInt8 = 0x13
  static let wrapper: UInt8 = 0x14
  static let some: UInt8 = 0x15
  static let object: UInt8 = 0x16

  /// 0x40 to 0x7F: a string of 0 to 63 bytes.
  static let shortString: UInt8 = 0x40
  /// 0x80 to 0xFF: an integer from 0 to 127.
  static let smallInteger: UInt8 = 0x80

  /// The length of a container that is still being written.
  static let openLength = UInt64.max
  /// The element count of a list that has more elements than four bytes can say.
  static let unknownCount = UInt32.max

  /// Size of a scalar's payload, or nil for what is no scalar of fixed width.
  @inline(__always) static func scalarSize(_ tag: UInt8) -> Int? {
    tag >= int8 && tag <= double ? payloadSize(tag) : nil
  }

  /// Size of the payload of a tag up to `double`, without a branch.
  @inline(__always) static func payloadSize(_ tag: UInt8) -> Int {
    // Four bits for each tag: 0 for no payload, else one more than the size's binary logarithm.
    (1 << Int((0x4354_3215_4321_0000 as UInt64 &>> (UInt64(tag) &* 4)) & 0xF)) >> 1
  }

  /// What stands behind a tag, for error messages.
  static func name(_ tag: UInt8) -> String {
    switch tag {
    case null: "nil"
    case no, yes: "a Bool"
    case empty: "an empty value"
    case int8...uint128, smallInteger...: "an integer"
    case float: "a Float"
    case double: "a Double"
    case string, shortString..<smallInteger: "a string"
    case block: "a block of scalars"
    case unkeyed: "an unkeyed container"
    case keyed: "a keyed container"
    case wrapper: "a super container"
    case some: "an optional"
    case object: "an object of a subclass"
    default: "an unknown tag (\(tag))"
    }
  }
}
