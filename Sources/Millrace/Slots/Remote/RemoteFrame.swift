package import MillraceIPC

/// A frame as a value, for transports that are streams of bytes.
package struct RemoteFrame: Sendable {
  package var header: FrameHeader
  package var payload: [UInt8]

  package init(_ header: FrameHeader, _ payload: [UInt8] = []) {
    self.header = header
    self.payload = payload
  }

  private static let headSize = 24

  /// The header's fields, then the payload.
  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: Self.headSize + payload.count)
    writer.append(UInt64(header.kind) << 48 | UInt64(header.flags) << 32 | UInt64(header.a))
    writer.append(header.b)
    writer.append(header.c)
    payload.withUnsafeBytes { writer.append(contentsOf: $0) }
    return Array(writer.bytes)
  }

  package init(bytes: UnsafeRawBufferPointer) throws {
    guard bytes.count >= Self.headSize else { throw WireProblem("a frame of \(bytes.count) bytes") }
    let (first, b, c) = (
      bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self), bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
      bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    )
    header = FrameHeader(
      kind: UInt16(truncatingIfNeeded: first >> 48), flags: UInt16(truncatingIfNeeded: first >> 32),
      a: UInt32(truncatingIfNeeded: first), b: b, c: c)
    payload = Array(UnsafeRawBufferPointer(rebasing: bytes[Self.headSize...]))
  }
}
