/// The `Decoder` of one value, and its single value container.
struct ValueDecoder: Decoder, SingleValueDecodingContainer {
  let state: DecodingState
  let slot: Slot

  var codingPath: [any CodingKey] { state.path(slot) }

  var userInfo: [CodingUserInfoKey: Any] { state.userInfo }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    try state.container(keyedBy: type, state.keyed(slot))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    UnkeyedReader(state: state, elements: try state.unkeyed(slot))
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

  func decodeNil() -> Bool { state.isNil(slot) }

  func decode<T: Decodable>(_ type: T.Type) throws -> T { try state.decode(type, slot) }
}

// One line for every scalar, as `SingleValueDecodingContainer` has it.
extension ValueDecoder {
  func decode(_: Bool.Type) throws -> Bool { try state.bool(slot) }
  func decode(_: String.Type) throws -> String { try state.string(slot) }
  func decode(_: Double.Type) throws -> Double { try state.double(slot) }
  func decode(_: Float.Type) throws -> Float { try state.float(slot) }
  func decode(_: Int.Type) throws -> Int { try state.integer(slot) }
  func decode(_: Int8.Type) throws -> Int8 { try state.integer(slot) }
  func decode(_: Int16.Type) throws -> Int16 { try state.integer(slot) }
  func decode(_: Int32.Type) throws -> Int32 { try state.integer(slot) }
  func decode(_: Int64.Type) throws -> Int64 { try state.integer(slot) }
  func decode(_: Int128.Type) throws -> Int128 { try state.integer(slot) }
  func decode(_: UInt.Type) throws -> UInt { try state.integer(slot) }
  func decode(_: UInt8.Type) throws -> UInt8 { try state.integer(slot) }
  func decode(_: UInt16.Type) throws -> UInt16 { try state.integer(slot) }
  func decode(_: UInt32.Type) throws -> UInt32 { try state.integer(slot) }
  func decode(_: UInt64.Type) throws -> UInt64 { try state.integer(slot) }
  func decode(_: UInt128.Type) throws -> UInt128 { try state.integer(slot) }
}
