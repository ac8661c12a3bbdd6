/// Errors of any type, `any Error` in a `Result` for instance: they travel as thrown ones do.
///
/// One that is not `Codable`, nor as simple as `PlainError` has it, arrives as a stand-in with its texts.
final class ErrorPayload: CodedPayload, @unchecked Sendable {
  private let standIn: any ErrorStandIn.Type

  init(_ standIn: any ErrorStandIn.Type) { self.standIn = standIn }

  override func encode(_ value: UnsafeRawPointer, into writer: inout ByteWriter) throws {
    try WireError(value.assumingMemoryBound(to: (any Error).self).pointee).encode(into: &writer)
  }

  override func decode(_ bytes: UnsafeRawBufferPointer, into value: UnsafeMutableRawPointer) throws {
    value.initializeMemory(as: (any Error).self, to: try WireError.decode(from: bytes).error(standIn))
  }
}
