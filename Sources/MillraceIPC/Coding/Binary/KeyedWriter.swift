/// A keyed container being written: entries of key and value, in the order of the calls.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let state: EncodingState
  let handle: EncodingState.Handle

  var codingPath: [any CodingKey] { state.path(of: handle) }

  @inline(__always) private func add(_ key: Key, _ write: () throws -> Void) throws {
    try state.add(to: handle) {
      state.writeKey(key.stringValue, key.intValue)
      try write()
    }
  }

  mutating func encodeNil(forKey key: Key) throws { try add(key) { state.write(tag: Tag.null) } }

  mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try add(key) { try state.encode(value) } }

  mutating func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
    guard let value else { return }
    try add(key) { try state.encodePresent(value) }
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    KeyedEncodingContainer(KeyedWriter<NestedKey>(state: state, handle: nest(.keyed, key.stringValue, key.intValue)))
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    UnkeyedWriter(state: state, handle: nest(.unkeyed, key.stringValue, key.intValue))
  }

  mutating func superEncoder() -> any Encoder {
    ValueEncoder(state: state, handle: nest(.wrapper, PathKey.superKey.stringValue, nil))
  }

  mutating func superEncoder(forKey key: Key) -> any Encoder {
    ValueEncoder(state: state, handle: nest(.wrapper, key.stringValue, key.intValue))
  }

  private func nest(_ kind: EncodingState.Kind, _ name: String, _ number: Int?) -> EncodingState.Handle {
    state.nest(kind, in: handle) { state.writeKey(name, number) }
  }
}

// One line for every scalar, as `KeyedEncodingContainerProtocol` has it.
extension KeyedWriter {
  mutating func encode(_ value: Bool, forKey key: Key) throws { try add(key) { state.write(value) } }
  mutating func encode(_ value: String, forKey key: Key) throws { try add(key) { state.write(value) } }
  mutating func encode(_ value: Double, forKey key: Key) throws { try add(key) { state.write(value) } }
  mutating func encode(_ value: Float, forKey key: Key) throws { try add(key) { state.write(value) } }
  mutating func encode(_ value: Int, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: Int8, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: Int16, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: Int32, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: Int64, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: Int128, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt8, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt16, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt32, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt64, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
  mutating func encode(_ value: UInt128, forKey key: Key) throws { try add(key) { state.write(integer: value) } }
}
