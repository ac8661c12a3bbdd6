/// What a keyed container that is being read works on.
struct KeyedReaderCore: KeyedCore {
  // Unmanaged, because the state has the containers.
  fileprivate private(set) var state: Unmanaged<DecodingState>
  fileprivate var content: DecodingState.Content
  /// Where the next key is expected.
  fileprivate var position: Int
  fileprivate private(set) var names: UnsafeMutablePointer<KeyNames>?

  mutating func end() {
    state = .passRetained(DecodingState(maximumDepth: 0))
    names = nil
  }

  mutating func free() { state.release() }
}

extension DecodingState {
  /// The container of what is in `content`.
  func container<Key: CodingKey>(keyedBy keys: Key.Type, _ content: Content) -> KeyedDecodingContainer<Key> {
    if let entry = containers.find(keys, content.depth), let core = entry.pointee.core {
      core.pointee.content = content
      core.pointee.position = content.start
      return containers.container(KeyedDecodingContainer<Key>.self, in: entry)
    }
    let core = UnsafeMutablePointer<KeyedReaderCore>.allocate(capacity: 1)
    core.initialize(
      to: KeyedReaderCore(
        state: .passUnretained(self), content: content, position: content.start, names: containers.names(of: keys)))
    let container = KeyedDecodingContainer(KeyedReader<Key>(core: core))
    containers.keep(container, core, keys, content.depth)
    return container
  }
}

/// A keyed container being read.
///
/// It finds keys in any order; the order of encoding is the fast one.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  fileprivate let core: UnsafeMutablePointer<KeyedReaderCore>

  private var state: Unmanaged<DecodingState> { core.pointee.state }
  private var content: DecodingState.Content { core.pointee.content }

  var codingPath: [any CodingKey] {
    state._withUnsafeGuaranteedRef { $0.reader.path(to: content.start).dropLast() }
  }

  var allKeys: [Key] {
    state._withUnsafeGuaranteedRef { state in
      state.noting {
        var keys: [Key] = []
        var at = content.start
        while at < content.end {
          let key = try state.reader.key(at: at)
          let name = String(decoding: key.name, as: UTF8.self)
          if let known = Key(stringValue: name) ?? key.number.flatMap({ Key(intValue: $0) }) { keys.append(known) }
          at = try state.reader.skip(at: key.next, limit: content.end)
        }
        return keys
      } ?? []
    }
  }

  func contains(_ key: Key) -> Bool {
    state._withUnsafeGuaranteedRef { state in state.noting { try search(key, state, take: false) != nil } ?? false }
  }

  func decodeNil(forKey key: Key) throws -> Bool {
    try state._withUnsafeGuaranteedRef { state in
      guard let slot = try find(key, state, take: false) else { throw notFound(key) }
      return state.isNil(slot)
    }
  }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try take(key) { try $0.decode(type, $1) } }

  func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
    try state._withUnsafeGuaranteedRef { state in
      guard let slot = try find(key, state, take: true) else { return nil }
      return try state.decodePresent(type, slot)
    }
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    try take(key) { try $0.container(keyedBy: type, $0.keyed($0.deeper($1))) }
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try take(key) { UnkeyedReader(state: $0, elements: try $0.unkeyed($0.deeper($1))) }
  }

  func superDecoder() throws -> any Decoder { try superDecoder(PathKey.superKey) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try superDecoder(key) }

  /// The decoder of a value; where there is none, one of nil, as other coders have it.
  private func superDecoder(_ key: some CodingKey) throws -> any Decoder {
    try state._withUnsafeGuaranteedRef { state in
      let found = try state.find(key.stringValue, key.intValue, in: content, from: &core.pointee.position, take: true)
      let slot = found ?? Slot(offset: content.start, depth: content.depth, tag: Tag.null)
      return ValueDecoder(state: state, slot: try state.deeper(slot))
    }
  }

  /// Reads the value of a key, which has to be there.
  @inline(__always) private func take<R>(_ key: Key, _ read: (DecodingState, Slot) throws -> R) throws -> R {
    try state._withUnsafeGuaranteedRef { state in
      guard let slot = try find(key, state, take: true) else { throw notFound(key) }
      return try read(state, slot)
    }
  }

  /// Reads the value of a key, if it is there and not nil.
  @inline(__always) private func takeIfPresent<R>(_ key: Key, _ read: (DecodingState, Slot) throws -> R) throws -> R? {
    try state._withUnsafeGuaranteedRef { state in
      guard let slot = try find(key, state, take: true), !state.isNil(slot) else { return nil }
      return try read(state, slot)
    }
  }

  /// The value of a key, or nil.
  ///
  /// - Parameter take: whether the next search should begin behind this entry.
  @inline(__always) private func find(_ key: Key, _ state: DecodingState, take: Bool) throws -> Slot? {
    if let name = core.pointee.names?.pointee.find(key),
      let value = state.reader.match(name, at: core.pointee.position, limit: content.end)
    {
      let next = try state.reader.skip(at: value, limit: content.end)
      if take { core.pointee.position = next }
      return try state.slot(at: value, depth: content.depth)
    }
    return try search(key, state, take: take)
  }

  @inline(never) private func search(_ key: Key, _ state: DecodingState, take: Bool) throws -> Slot? {
    try state.find(key.stringValue, key.intValue, in: content, from: &core.pointee.position, take: take)
  }

  private func notFound(_ key: Key) -> DecodingError {
    .keyNotFound(
      key,
      DecodingError.Context(
        codingPath: codingPath, debugDescription: "There is no value for the key \"\(key.stringValue)\"."))
  }
}

// Two lines for every scalar, as `KeyedDecodingContainerProtocol` has it.
extension KeyedReader {
  func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try take(key) { try $0.bool($1) } }
  func decode(_: String.Type, forKey key: Key) throws -> String { try take(key) { try $0.string($1) } }
  func decode(_: Double.Type, forKey key: Key) throws -> Double { try take(key) { try $0.double($1) } }
  func decode(_: Float.Type, forKey key: Key) throws -> Float { try take(key) { try $0.float($1) } }
  func decode(_: Int.Type, forKey key: Key) throws -> Int { try take(key) { try $0.integer($1) } }
  func decode(_: Int8.Type, forKey key: Key) throws -> Int8 { try take(key) { try $0.integer($1) } }
  func decode(_: Int16.Type, forKey key: Key) throws -> Int16 { try take(key) { try $0.integer($1) } }
  func decode(_: Int32.Type, forKey key: Key) throws -> Int32 { try take(key) { try $0.integer($1) } }
  func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try take(key) { try $0.integer($1) } }
  func decode(_: Int128.Type, forKey key: Key) throws -> Int128 { try take(key) { try $0.integer($1) } }
  func decode(_: UInt.Type, forKey key: Key) throws -> UInt { try take(key) { try $0.integer($1) } }
  func decode(_: UInt8.Type, forKey key: Key) throws -> UInt8 { try take(key) { try $0.integer($1) } }
  func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try take(key) { try $0.integer($1) } }
  func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try take(key) { try $0.integer($1) } }
  func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try take(key) { try $0.integer($1) } }
  func decode(_: UInt128.Type, forKey key: Key) throws -> UInt128 { try take(key) { try $0.integer($1) } }

  func decodeIfPresent(_: Bool.Type, forKey key: Key) throws -> Bool? {
    try takeIfPresent(key) { try $0.bool($1) }
  }
  func decodeIfPresent(_: String.Type, forKey key: Key) throws -> String? {
    try takeIfPresent(key) { try $0.string($1) }
  }
  func decodeIfPresent(_: Double.Type, forKey key: Key) throws -> Double? {
    try takeIfPresent(key) { try $0.double($1) }
  }
  func decodeIfPresent(_: Float.Type, forKey key: Key) throws -> Float? {
    try takeIfPresent(key) { try $0.float($1) }
  }
  func decodeIfPresent(_: Int.Type, forKey key: Key) throws -> Int? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: Int8.Type, forKey key: Key) throws -> Int8? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: Int16.Type, forKey key: Key) throws -> Int16? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: Int32.Type, forKey key: Key) throws -> Int32? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: Int64.Type, forKey key: Key) throws -> Int64? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: Int128.Type, forKey key: Key) throws -> Int128? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt.Type, forKey key: Key) throws -> UInt? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt8.Type, forKey key: Key) throws -> UInt8? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt16.Type, forKey key: Key) throws -> UInt16? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt32.Type, forKey key: Key) throws -> UInt32? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt64.Type, forKey key: Key) throws -> UInt64? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
  func decodeIfPresent(_: UInt128.Type, forKey key: Key) throws -> UInt128? {
    try takeIfPresent(key) { try $0.integer($1) }
  }
}
