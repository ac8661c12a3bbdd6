package import MillraceIPC

/// A chunk as it came in, valid until the next request is read.
package struct ChunkRequest {
  let id: UInt64
  let worker: UInt64
  let count: Int
  let flags: FrameFlags
  let head: ChunkHead
  /// What makes what goes around the items, if anything does.
  package let baggage: UnsafeRawBufferPointer?
  package let items: UnsafeRawBufferPointer

  /// `payload` is the frame's, wherever it lies.
  package init(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
    let headSize = MemoryLayout<ChunkHead>.size
    guard payload.count >= headSize else { throw WireProblem("a chunk without a head") }
    id = header.chunk
    worker = header.chunkWorker
    count = header.count
    flags = header.frameFlags
    head = payload.loadUnaligned(as: ChunkHead.self)
    var rest = UnsafeRawBufferPointer(rebasing: payload[headSize...])
    baggage = flags.contains(.baggage) ? try Baggage.take(from: &rest) : nil
    items = rest
  }

  var isPacked: Bool { flags.contains(.packed) }
  var isTimed: Bool { flags.contains(.timed) }
}
