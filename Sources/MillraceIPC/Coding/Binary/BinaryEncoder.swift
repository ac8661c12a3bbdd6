/// Encodes `Codable` values in Millrace's binary coding, for another process of the same executable.
///
/// See `Tag` for the layout. It may be shared by threads; its scratch memory is kept from one value to the next.
package struct BinaryEncoder: Sendable {
  /// What `encoder.userInfo` gives to the values.
  package let userInfo: [CodingUserInfoKey: any Sendable]
  /// How deep values may be nested.
  ///
  /// Above it they throw; and below it, if the thread's stack is too small for them.
  package let maximumDepth: Int

  private let spare = Spare<EncodingState>()

  /// The depth that both directions have, unless told otherwise.
  package static let defaultMaximumDepth = 512

  package init(userInfo: [CodingUserInfoKey: any Sendable] = [:], maximumDepth: Int = defaultMaximumDepth) {
    self.userInfo = userInfo
    self.maximumDepth = maximumDepth
  }

  /// Appends `value` to `writer`.
  ///
  /// If it throws, the writer is as it was.
  package func encode<T: Encodable>(_ value: T, into writer: inout ByteWriter) throws {
    try withUnsafePointer(to: value) { try encode(at: $0, into: &writer) }
  }

  /// Appends the value that is at an address to `writer`: it is not copied before its own `encode(to:)` has it.
  func encode<T: Encodable>(at value: UnsafePointer<T>, into writer: inout ByteWriter) throws {
    let state = spare.take() ?? .passRetained(EncodingState(maximumDepth: maximumDepth))
    defer { spare.give(state) }
    try state._withUnsafeGuaranteedRef { state in
      if !userInfo.isEmpty { state.userInfo = userInfo }
      try state.encode(at: value, into: &writer)
    }
  }

  /// The bytes of `value`, in an array of their own.
  package func encode<T: Encodable>(_ value: T) throws -> [UInt8] {
    var writer = ByteWriter()
    try encode(value, into: &writer)
    return [UInt8](writer.bytes)
  }
}
