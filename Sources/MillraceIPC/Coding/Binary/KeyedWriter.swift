/// What a keyed container that is being written works on.
struct KeyedWriterCore: KeyedCore {
  // Unmanaged, because the state has the containers.
  fileprivate private(set) var state: Unmanaged<EncodingState>
  fileprivate var handle: EncodingState.Handle
  fileprivate private(set) var names: UnsafeMutablePointer<KeyNames>?

  mutating func end() {
    state = .passRetained(EncodingState(maximumDepth: 0))
    handle = .dead
    names = nil
  }

  mutating func free() { state.release() }
}

extension EncodingState {
  /// The container of the frame `handle`.
  func container<Key: CodingKey>(keyedBy keys: Key.Type, _ handle: Handle) -> KeyedEncodingContainer<Key> {
    let depth = depth(of: handle)
    if let entry = containers.find(keys, depth), let core = entry.pointee.core {
      core.pointee.handle = handle
      return containers.container(KeyedEncodingContainer<Key>.self, in: entry)
    }
    let core = UnsafeMutablePointer<KeyedWriterCore>.allocate(capacity: 1)
    core.initialize(
      to: KeyedWriterCore(state: .passUnretained(self), handle: handle, names: containers.names(of: keys)))
    let container = KeyedEncodingContainer(KeyedWriter<Key>(core: core))
    containers.keep(container, core, keys, depth)
    return container
  }
}

/// A keyed container being written: entries of key and value, in the order of the calls.
struct KeyedWriter<Key: CodingKey>: KeyedEncodingContainerProtocol {
  fileprivate let core: UnsafeMutablePointer<KeyedWriterCore>

  private var state: Unmanaged<EncodingState> { core.pointee.state }
  private var handle: EncodingState.Handle { core.pointee.handle }

  var codingPath: [any CodingKey] { state._withUnsafeGuaranteedRef { $0.path(of: handle) } }

  @inline(__always) private func add(_ key: Key, _ write: (EncodingState) throws -> Void) throws {
    try state._withUnsafeGuaranteedRef { state in
      try state.add(to: handle) {
        if let name = core.pointee.names?.pointee.find(key) {
          state.writer.append(name)
        } else {
          state.writer.append(key: key.stringValue, key.intValue)
        }
        try write(state)
      }
    }
  }

  mutating func encodeNil(forKey key: Key) throws { try add(key) { $0.write(tag: Tag.null) } }

  mutating func encode<T: Encodable>(_ value: T, forKey key: Key) throws { try add(key) { try $0.encode(value) } }

  mutating func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
    guard let value else { return }
    try add(key) { try $0.encodePresent(value) }
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy keyType: NestedKey.Type, forKey key: Key
  ) -> KeyedEncodingContainer<NestedKey> {
    let handle = nest(.keyed, key.stringValue, key.intValue)
    return state._withUnsafeGuaranteedRef { $0.container(keyedBy: keyType, handle) }
  }

  mutating func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    UnkeyedWriter(state: state.takeUnretainedValue(), handle: nest(.unkeyed, key.stringValue, key.intValue))
  }

  mutating func superEncoder() -> any Encoder {
    ValueEncoder(state: state.takeUnretainedValue(), handle: nest(.wrapper, PathKey.superKey.stringValue, nil))
  }

  mutating func superEncoder(forKey key: Key) -> any Encoder {
    ValueEncoder(state: state.takeUnretainedValue(), handle: nest(.wrapper, key.stringValue, key.intValue))
  }

  private func nest(_ kind: EncodingState.Kind, _ name: String, _ number: Int?) -> EncodingState.Handle {
    state._withUnsafeGuaranteedRef { state in
      state.nest(kind, in: handle) { state.writer.append(key: name, number) }
    }
  }
}

// One line for every scalar, as `KeyedEncodingContainerProtocol` has it.
extension KeyedWriter {
  mutating func encode(_ value: Bool, forKey key: Key) throws { try add(key) { $0.write(value) } }
  mutating func encode(_ value: String, forKey key: Key) throws { try add(key) { try $0.write(value) } }
  mutating func encode(_ value: Double, forKey key: Key) throws { try add(key) { $0.write(value) } }
  mutating func encode(_ value: Float, forKey key: Key) throws { try add(key) { $0.write(value) } }
  mutating func encode(_ value: Int, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: Int8, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: Int16, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: Int32, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: Int64, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: Int128, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt8, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt16, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt32, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt64, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
  mutating func encode(_ value: UInt128, forKey key: Key) throws { try add(key) { $0.write(integer: value) } }
}
