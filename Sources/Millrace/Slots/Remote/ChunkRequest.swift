import MillraceIPC

/// A chunk as it came in, valid until the next request is read.
package struct ChunkRequest {
  let id: UInt64
  let worker: UInt64
  let count: Int
  let flags: UInt16
  let head: ChunkHead
  let items: UnsafeRawBufferPointer

  /// `payload` is the frame's, wherever it lies.
  init(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
    let headSize = MemoryLayout<ChunkHead>.size
    guard payload.count >= headSize else { throw WireProblem("a chunk without a head") }
    id = header.b
    worker = header.c
    count = Int(header.a)
    flags = header.flags
    head = payload.loadUnaligned(as: ChunkHead.self)
    items = UnsafeRawBufferPointer(rebasing: payload[headSize...])
  }

  var isPacked: Bool { flags & FrameFlags.packed != 0 }
  var isTimed: Bool { flags & FrameFlags.timed != 0 }
}
