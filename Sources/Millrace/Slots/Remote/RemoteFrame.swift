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
    writer.append(header.word)
    writer.append(header.b)
    writer.append(header.c)
    payload.withUnsafeBytes { writer.append(contentsOf: $0) }
    return Array(writer.bytes)
  }

  /// Some words, and frames as records behind them. Payloads may be large: they are copied once.
  package static func bytes(of frames: [RemoteFrame], behind words: UInt64...) -> [UInt8] {
    let size = frames.reduce(8 * words.count) { $0 + Records.size(headSize + $1.payload.count) }
    return [UInt8](unsafeUninitializedCapacity: size) { bytes, count in
      var place = 0
      func put(_ word: UInt64) {
        UnsafeMutableRawBufferPointer(bytes).storeBytes(of: word, toByteOffset: place, as: UInt64.self)
        place += 8
      }
      for word in words { put(word) }
      for frame in frames {
        let (header, end) = (frame.header, place + Records.size(headSize + frame.payload.count))
        put(UInt64(headSize + frame.payload.count))
        put(header.word)
        put(header.b)
        put(header.c)
        let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[place..<end])
        frame.payload.withUnsafeBytes { room.copyMemory(from: $0) }
        for pad in frame.payload.count..<room.count { room[pad] = 0 }
        place = end
      }
      count = size
    }
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

extension FrameHeader {
  /// Its first three fields.
  fileprivate var word: UInt64 { UInt64(kind) << 48 | UInt64(flags) << 32 | UInt64(a) }
}
