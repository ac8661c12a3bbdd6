/// The `Encoder` of one value, and its single value container.
struct ValueEncoder: Encoder, SingleValueEncodingContainer {
  let state: EncodingState
  let handle: EncodingState.Handle

  var codingPath: [any CodingKey] { state.path(of: handle) }

  var userInfo: [CodingUserInfoKey: Any] { state.userInfo }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    state.container(keyedBy: type, state.open(.keyed, of: handle))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    UnkeyedWriter(state: state, handle: state.open(.unkeyed, of: handle))
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }

  mutating func encodeNil() throws { try state.encodeScalar(handle) { state.write(tag: Tag.null) } }

  mutating func encode<T: Encodable>(_ value: T) throws { try state.encodeScalar(handle) { try state.encode(value) } }
}

// One line for every scalar, as `SingleValueEncodingContainer` has it.
extension ValueEncoder {
  mutating func encode(_ value: Bool) throws { try state.encodeScalar(handle) { state.write(value) } }
  mutating func encode(_ value: String) throws { try state.encodeScalar(handle) { try state.write(value) } }
  mutating func encode(_ value: Double) throws { try state.encodeScalar(handle) { state.write(value) } }
  mutating func encode(_ value: Float) throws { try state.encodeScalar(handle) { state.write(value) } }
  mutating func encode(_ value: Int) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: Int8) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: Int16) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: Int32) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: Int64) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: Int128) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt8) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt16) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt32) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt64) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
  mutating func encode(_ value: UInt128) throws { try state.encodeScalar(handle) { state.write(integer: value) } }
}
