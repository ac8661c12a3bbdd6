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
    let state = spare.take() ?? .passRetained(DecodingState(maximumDepth: maximumDepth))
    defer { spare.give(state) }
    return try state._withUnsafeGuaranteedRef { state in
      if !userInfo.isEmpty { state.userInfo = userInfo }
      return try state.decode(type, all: bytes)
    }
  }

  /// The value that all of `bytes` are.
  package func decode<T: Decodable>(_ type: T.Type, from bytes: [UInt8]) throws -> T {
    try bytes.withUnsafeBytes { try decode(type, from: $0) }
  }
}
