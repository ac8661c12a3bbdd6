/// Decodes values that `BinaryEncoder` has encoded.
///
/// Bytes from anywhere are safe: whatever they are, decoding throws or gives a value, and allocates no more than what they justify.
package struct BinaryDecoder: Sendable {
  /// What `decoder.userInfo` gives to the values.
  package let userInfo: [CodingUserInfoKey: any Sendable]
  /// How deep values may be nested.
  package let maximumDepth: Int

  private let spare = Spare<DecodingState>()

  package init(
    userInfo: [CodingUserInfoKey: any Sendable] = [:], maximumDepth: Int = BinaryEncoder.defaultMaximumDepth
  ) {
    self.userInfo = userInfo
    self.maximumDepth = maximumDepth
  }

  /// The value that all of `bytes` are.
  ///
  /// They are needed during the call only.
  package func decode<T: Decodable>(_ type: T.Type, from bytes: UnsafeRawBufferPointer) throws -> T {
    var state = spare.take() ?? DecodingState(maximumDepth: maximumDepth)
    state.reader = ByteReader(bytes)
    if !userInfo.isEmpty { state.userInfo = userInfo }
    defer {
      state.reset()
      spare.give(&state)
    }
    do {
      guard try state.reader.skip(at: 0, limit: bytes.count) == bytes.count else {
        throw state.corrupted(0, "There are bytes after the value.")
      }
      let value = try state.decode(type, state.slot(at: 0, depth: 0))
      if let damage = state.damage { throw damage }
      return value
    } catch let error as ByteReader.Malformed {
      throw state.corrupted(error.offset, "The bytes are damaged: \(error.reason).")
    }
  }

  /// The value that all of `bytes` are.
  package func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws -> T {
    try bytes.withUnsafeBytes { try decode(type, from: $0) }
  }
}
