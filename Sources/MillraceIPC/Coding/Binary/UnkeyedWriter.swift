/// An unkeyed container being written.
struct UnkeyedWriter: UnkeyedEncodingContainer {
  let state: EncodingState
  let handle: EncodingState.Handle

  var codingPath: [any CodingKey] { state.path(of: handle) }

  var count: Int { state.isValid(handle) ? state.frames[Int(handle.index)].count : 0 }

  @inline(__always) private func add(_ write: () throws -> Void) throws {
    try state.add(to: handle) {
      try write()
      state.countElement(of: handle)
    }
  }

  mutating func encodeNil() throws { try add { state.write(tag: Tag.null) } }

  mutating func encode<T: Encodable>(_ value: T) throws { try add { try state.encode(value) } }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type
  ) -> KeyedEncodingContainer<NestedKey> {
    state.container(keyedBy: keyType, nest(.keyed))
  }

  mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
    UnkeyedWriter(state: state, handle: nest(.unkeyed))
  }

  mutating func superEncoder() -> any Encoder { ValueEncoder(state: state, handle: nest(.wrapper)) }

  private func nest(_ kind: EncodingState.Kind) -> EncodingState.Handle {
    state.nest(kind, in: handle) { state.countElement(of: handle) }
  }
}

// One line for every scalar, as `UnkeyedEncodingContainer` has it.
extension UnkeyedWriter {
  mutating func encode(_ value: Bool) throws { try add { state.write(value) } }
  mutating func encode(_ value: String) throws { try add { try state.write(value) } }
  mutating func encode(_ value: Double) throws { try add { state.write(value) } }
  mutating func encode(_ value: Float) throws { try add { state.write(value) } }
  mutating func encode(_ value: Int) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: Int8) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: Int16) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: Int32) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: Int64) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: Int128) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt8) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt16) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt32) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt64) throws { try add { state.write(integer: value) } }
  mutating func encode(_ value: UInt128) throws { try add { state.write(integer: value) } }
}
