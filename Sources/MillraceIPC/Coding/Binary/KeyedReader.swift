/// A keyed container being read.
///
/// It finds keys in any order; the order of encoding is the fast one.
struct KeyedReader<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let state: DecodingState
  let content: DecodingState.Content

  var codingPath: [any CodingKey] { state.reader.path(to: content.start).dropLast() }

  var allKeys: [Key] {
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

  func contains(_ key: Key) -> Bool { state.noting { try find(key, take: false) != nil } ?? false }

  func decodeNil(forKey key: Key) throws -> Bool {
    guard let slot = try find(key, take: false) else { throw notFound(key.stringValue, key) }
    return state.isNil(slot)
  }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try state.decode(type, slot(key)) }

  func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
    guard let slot = try find(key, take: true) else { return nil }
    return try state.decodePresent(type, slot)
  }

  func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<NestedKey> {
    let content = try state.keyed(state.deeper(slot(key)))
    return KeyedDecodingContainer(KeyedReader<NestedKey>(state: state, content: content))
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    UnkeyedReader(state: state, elements: try state.unkeyed(state.deeper(slot(key))))
  }

  func superDecoder() throws -> any Decoder { try superDecoder(PathKey.superKey) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try superDecoder(key) }

  /// The decoder of a value; where there is none, one of nil, as other coders have it.
  private func superDecoder(_ key: some CodingKey) throws -> any Decoder {
    let found = try state.find(key.stringValue, key.intValue, in: content, take: true)
    let slot = found ?? Slot(offset: content.start, depth: content.depth, tag: Tag.null)
    return ValueDecoder(state: state, slot: try state.deeper(slot))
  }

  @inline(__always) private func find(_ key: Key, take: Bool) throws -> Slot? {
    try state.find(key.stringValue, key.intValue, in: content, take: take)
  }

  @inline(__always) private func slot(_ key: Key) throws -> Slot {
    guard let slot = try find(key, take: true) else { throw notFound(key.stringValue, key) }
    return slot
  }

  @inline(__always) private func optionalSlot(_ key: Key) throws -> Slot? {
    guard let slot = try find(key, take: true), !state.isNil(slot) else { return nil }
    return slot
  }

  private func notFound(_ name: String, _ key: some CodingKey) -> DecodingError {
    .keyNotFound(
      key, DecodingError.Context(codingPath: codingPath, debugDescription: "There is no value for the key \"\(name)\".")
    )
  }
}

// Two lines for every scalar, as `KeyedDecodingContainerProtocol` has it.
extension KeyedReader {
  func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try state.bool(slot(key)) }
  func decode(_: String.Type, forKey key: Key) throws -> String { try state.string(slot(key)) }
  func decode(_: Double.Type, forKey key: Key) throws -> Double { try state.double(slot(key)) }
  func decode(_: Float.Type, forKey key: Key) throws -> Float { try state.float(slot(key)) }
  func decode(_: Int.Type, forKey key: Key) throws -> Int { try state.integer(slot(key)) }
  func decode(_: Int8.Type, forKey key: Key) throws -> Int8 { try state.integer(slot(key)) }
  func decode(_: Int16.Type, forKey key: Key) throws -> Int16 { try state.integer(slot(key)) }
  func decode(_: Int32.Type, forKey key: Key) throws -> Int32 { try state.integer(slot(key)) }
  func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try state.integer(slot(key)) }
  func decode(_: Int128.Type, forKey key: Key) throws -> Int128 { try state.integer(slot(key)) }
  func decode(_: UInt.Type, forKey key: Key) throws -> UInt { try state.integer(slot(key)) }
  func decode(_: UInt8.Type, forKey key: Key) throws -> UInt8 { try state.integer(slot(key)) }
  func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 { try state.integer(slot(key)) }
  func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 { try state.integer(slot(key)) }
  func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 { try state.integer(slot(key)) }
  func decode(_: UInt128.Type, forKey key: Key) throws -> UInt128 { try state.integer(slot(key)) }

  func decodeIfPresent(_: Bool.Type, forKey key: Key) throws -> Bool? {
    try optionalSlot(key).map { try state.bool($0) }
  }
  func decodeIfPresent(_: String.Type, forKey key: Key) throws -> String? {
    try optionalSlot(key).map { try state.string($0) }
  }
  func decodeIfPresent(_: Double.Type, forKey key: Key) throws -> Double? {
    try optionalSlot(key).map { try state.double($0) }
  }
  func decodeIfPresent(_: Float.Type, forKey key: Key) throws -> Float? {
    try optionalSlot(key).map { try state.float($0) }
  }
  func decodeIfPresent(_: Int.Type, forKey key: Key) throws -> Int? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: Int8.Type, forKey key: Key) throws -> Int8? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: Int16.Type, forKey key: Key) throws -> Int16? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: Int32.Type, forKey key: Key) throws -> Int32? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: Int64.Type, forKey key: Key) throws -> Int64? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: Int128.Type, forKey key: Key) throws -> Int128? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt.Type, forKey key: Key) throws -> UInt? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt8.Type, forKey key: Key) throws -> UInt8? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt16.Type, forKey key: Key) throws -> UInt16? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt32.Type, forKey key: Key) throws -> UInt32? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt64.Type, forKey key: Key) throws -> UInt64? {
    try optionalSlot(key).map { try state.integer($0) }
  }
  func decodeIfPresent(_: UInt128.Type, forKey key: Key) throws -> UInt128? {
    try optionalSlot(key).map { try state.integer($0) }
  }
}
