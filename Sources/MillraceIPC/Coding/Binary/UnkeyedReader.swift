/// An unkeyed container being read: values one after another, or the elements of a block.
struct UnkeyedReader: UnkeyedDecodingContainer {
  let state: DecodingState
  let elements: DecodingState.Elements
  private var position: Int
  private(set) var currentIndex = 0

  init(state: DecodingState, elements: DecodingState.Elements) {
    self.state = state
    self.elements = elements
    position = elements.content.start
  }

  private var content: DecodingState.Content { elements.content }

  var codingPath: [any CodingKey] { state.reader.path(to: content.start).dropLast() }

  var count: Int? { elements.count }

  var isAtEnd: Bool { position >= content.end }

  mutating func decodeNil() throws -> Bool {
    let slot = try current(Any?.self)
    guard state.isNil(slot) else { return false }
    try advance()
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try take(type) { try $0.decode(type, $1) } }

  mutating func decodeIfPresent<T: Decodable>(_ type: T.Type) throws -> T? {
    if isAtEnd { return nil }
    return try take(T?.self) { try $0.decodePresent(type, $1) }
  }

  mutating func nestedContainer<NestedKey: CodingKey>(
    keyedBy type: NestedKey.Type
  ) throws -> KeyedDecodingContainer<NestedKey> {
    let content = try take([String: Any].self) { try $0.keyed($0.deeper($1)) }
    return state.container(keyedBy: type, content)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    UnkeyedReader(state: state, elements: try take([Any].self) { try $0.unkeyed($0.deeper($1)) })
  }

  mutating func superDecoder() throws -> any Decoder {
    try take((any Decoder).self) { ValueDecoder(state: $0, slot: try $0.deeper($1)) }
  }

  /// Reads the current element; a failure does not consume it.
  @inline(__always) private mutating func take<R>(_ type: Any.Type, _ read: (DecodingState, Slot) throws -> R) throws
    -> R
  {
    let result = try read(state, current(type))
    try advance()
    return result
  }

  @inline(__always) private func current(_ type: Any.Type) throws -> Slot {
    guard position < content.end else { throw atEnd(type) }
    if let element = elements.element {
      return Slot(offset: position, depth: content.depth, tag: element, isElement: true)
    }
    return try state.slot(at: position, depth: content.depth)
  }

  @inline(__always) private mutating func advance() throws {
    if let element = elements.element {
      position += Tag.scalarSize(element) ?? 1
    } else {
      position = try state.reader.skip(at: position, limit: content.end)
    }
    currentIndex += 1
  }

  private func atEnd(_ type: Any.Type) -> DecodingError {
    .valueNotFound(
      type,
      DecodingError.Context(
        codingPath: codingPath + [PathKey(index: currentIndex)],
        debugDescription: "The unkeyed container is at its end."))
  }
}

// One line for every scalar, as `UnkeyedDecodingContainer` has it.
extension UnkeyedReader {
  mutating func decode(_ type: Bool.Type) throws -> Bool { try take(type) { try $0.bool($1) } }
  mutating func decode(_ type: String.Type) throws -> String { try take(type) { try $0.string($1) } }
  mutating func decode(_ type: Double.Type) throws -> Double { try take(type) { try $0.double($1) } }
  mutating func decode(_ type: Float.Type) throws -> Float { try take(type) { try $0.float($1) } }
  mutating func decode(_ type: Int.Type) throws -> Int { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: Int8.Type) throws -> Int8 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: Int16.Type) throws -> Int16 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: Int32.Type) throws -> Int32 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: Int64.Type) throws -> Int64 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: Int128.Type) throws -> Int128 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt.Type) throws -> UInt { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt8.Type) throws -> UInt8 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt16.Type) throws -> UInt16 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt32.Type) throws -> UInt32 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt64.Type) throws -> UInt64 { try take(type) { try $0.integer($1) } }
  mutating func decode(_ type: UInt128.Type) throws -> UInt128 { try take(type) { try $0.integer($1) } }
}
