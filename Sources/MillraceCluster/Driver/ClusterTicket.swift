import Millrace

/// A chunk that a seat has handed in, on its way to the queue and back: whoever has it finds the seat, and the seat finds it.
final class ClusterTicket: @unchecked Sendable {
  /// Short chunks go together as long as they take no longer, in nanoseconds, and are no larger, in bytes.
  static let parcelTime: UInt64 = 2_000_000
  static let parcelSize = 64 << 10

  let seat: ClusterSeat
  /// As an order (``ChunkOrder``).
  let bytes: [UInt8]
  /// How many frames are in it. Each is answered with as many, of which the last says so.
  let frames: Int
  // Sound: these belong to the driver, under its lock.
  /// What it goes to the queue by, with others perhaps; nil: it has not been there.
  var number: UInt64?
  var isWithdrawn = false

  init(_ seat: ClusterSeat, _ bytes: [UInt8], frames: Int) {
    (self.seat, self.bytes, self.frames) = (seat, bytes, frames)
  }

  /// Whether both are for the same worker, on the same conditions.
  func goes(with other: ClusterTicket) -> Bool {
    bytes.prefix(ChunkOrder.headSize) == other.bytes.prefix(ChunkOrder.headSize)
  }

  /// How many chunks go together: so many that there are two parcels for each slot of the agents, of those that take so long.
  ///
  /// - Parameter time: what a chunk takes, in nanoseconds; nil: that is not known.
  static func together(of chunks: Int, for slots: Int, each time: UInt64?) -> Int {
    guard let time else { return 1 }
    return max(1, min(chunks / (2 * max(1, slots)), Int(clamping: parcelTime / max(1, time))))
  }

  /// What came of each of those that went together, which have so many frames.
  static func parts(of answer: ChunkAnswer, frames counts: [Int]) throws -> [ChunkAnswer] {
    guard case .frames(let frames) = answer else { return counts.map { _ in answer } }
    var rest = frames[...]
    let parts = try counts.map { count in
      var (part, missing) = ([RemoteFrame](), count)
      while missing > 0 {
        guard let frame = rest.popFirst() else { throw EngineError.refused("an answer that ends too soon") }
        if frame.header.isChunkDone { missing -= 1 }
        part.append(frame)
      }
      return ChunkAnswer.frames(part)
    }
    guard rest.isEmpty else { throw EngineError.refused("an answer that does not end in time") }
    return parts
  }
}
