package import Millrace
import MillraceIPC

/// A chunk on its way to whichever agent leases it: the frames that a worker process would get, and what the map asks for.
package struct ChunkOrder: Sendable {
  package var worker: Int
  package var itemTimeout: Duration?
  package var setUpTimeout: Duration?
  package var maximumLosses: Int
  package var frames: [RemoteFrame]

  package init(
    worker: Int, itemTimeout: Duration?, setUpTimeout: Duration? = nil, maximumLosses: Int, frames: [RemoteFrame]
  ) {
    (self.worker, self.itemTimeout, self.setUpTimeout) = (worker, itemTimeout, setUpTimeout)
    (self.maximumLosses, self.frames) = (maximumLosses, frames)
  }

  /// So many bytes are not about the chunk, but about the map: orders in which they are the same can be one, frames behind frames.
  package static let headSize = 32

  package var bytes: [UInt8] {
    RemoteFrame.bytes(
      of: frames, behind: UInt64(worker), itemTimeout?.nanoseconds ?? 0, setUpTimeout?.nanoseconds ?? 0,
      UInt64(maximumLosses))
  }

  package init(bytes: [UInt8]) throws {
    let (head, frames) = try bytes.withUnsafeBytes { try readFrames($0, words: Self.headSize / 8) }
    worker = Int(clamping: head[0])
    itemTimeout = head[1] == 0 ? nil : .nanoseconds(Int64(clamping: head[1]))
    setUpTimeout = head[2] == 0 ? nil : .nanoseconds(Int64(clamping: head[2]))
    maximumLosses = Int(clamping: head[3])
    self.frames = frames
  }
}

/// What came of a chunk.
package enum ChunkAnswer: Sendable {
  /// What a worker process would have answered.
  case frames([RemoteFrame])
  /// The agent cannot have the worker, so nothing was run.
  case noWorker(any Error)

  /// Each item has failed for this reason.
  package static func failure(of order: ChunkOrder, _ error: any Error) throws -> ChunkAnswer {
    var writer = ByteWriter()
    try WireError(error).encode(into: &writer)
    let payload = Array(writer.bytes)
    return .frames(
      order.frames.flatMap { frame in
        let (chunk, count) = (frame.header.chunk, frame.header.count)
        return (0..<count).map { RemoteFrame(.itemFailed($0, of: chunk, .undecodable), payload) }
          + [RemoteFrame(.chunkDone(chunk, items: count, nanoseconds: 0))]
      })
  }

  /// What its items took, in nanoseconds, if they were run.
  var time: UInt64? {
    guard case .frames(let frames) = self else { return nil }
    return frames.last.flatMap { $0.header.count > 0 ? $0.header.nanoseconds : nil }
  }

  package var bytes: [UInt8] {
    switch self {
    case .frames(let frames): return RemoteFrame.bytes(of: frames, behind: 0)
    case .noWorker(let error):
      var writer = ByteWriter()
      writer.append(UInt64(1))
      try? WireError(error).encode(into: &writer)
      return Array(writer.bytes)
    }
  }

  package init(bytes: [UInt8]) throws {
    guard bytes.count >= 8 else { throw EngineError.refused("an answer of \(bytes.count) bytes") }
    if bytes[0] == 0 {
      self = .frames(try bytes.withUnsafeBytes { try readFrames($0, words: 1) }.frames)
    } else {
      self = .noWorker(
        try bytes.withUnsafeBytes {
          try WireError.decode(from: UnsafeRawBufferPointer(rebasing: $0[8...])).error(RemoteError.self)
        })
    }
  }
}

/// So many words, then frames as records.
private func readFrames(_ bytes: UnsafeRawBufferPointer, words: Int) throws -> (words: [UInt64], frames: [RemoteFrame])
{
  guard bytes.count >= 8 * words else { throw EngineError.refused("\(bytes.count) bytes where \(8 * words) begin it") }
  let head = (0..<words).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
  var rest = UnsafeRawBufferPointer(rebasing: bytes[(8 * words)...])
  var frames: [RemoteFrame] = []
  while !rest.isEmpty { frames.append(try RemoteFrame(bytes: try Records.next(&rest).bytes)) }
  return (head, frames)
}
