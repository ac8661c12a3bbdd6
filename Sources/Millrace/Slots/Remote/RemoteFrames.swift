import MillraceIPC

/// What the pool and a worker elsewhere say to each other, whatever carries it.
///
/// In each header, `b` is the chunk's number or the worker's key. Where both have memory in common, a large payload travels in
/// a segment, and the frame holds its number and length (`FrameFlags.segment`).
package enum FrameKind {
  // Requests

  /// Make an instance of a worker and set it up. Payload: the announcement, none if the process was forked for the worker.
  package static let open: UInt16 = 1
  /// Run items: `a` of them, of the worker `c`. Payload: `ChunkHead`, then the items.
  package static let chunk: UInt16 = 2
  package static let tearDown: UInt16 = 3
  /// Tear down what is left and end.
  package static let stop: UInt16 = 4
  /// The rest of the chunk is not wanted. For transports that have no other way to say so while it runs.
  package static let cancel: UInt16 = 6

  // Either way

  /// The segment `a` was dropped, and is to be forgotten. No payload.
  package static let retired: UInt16 = 5

  // Responses

  package static let opened: UInt16 = 10
  /// Payload: a `WireError`.
  package static let openFailed: UInt16 = 11
  /// The outputs of the next `a` items of the chunk. With `FrameFlags.final` they are the last, and all of the chunk's items
  /// took `c` nanoseconds.
  package static let outputs: UInt16 = 12
  /// The next item of the chunk failed. Payload: a `WireError`; it could not be sent if `FrameFlags.undecodable`.
  package static let itemFailed: UInt16 = 13
  /// The chunk is over, after `a` items that took `c` nanoseconds. Payload: resident bytes, if asked for.
  package static let chunkDone: UInt16 = 14
  /// Payload: the exit value, or a `WireError` with `FrameFlags.failed`; nothing with `FrameFlags.empty`.
  package static let tornDown: UInt16 = 15
  package static let stopped: UInt16 = 16
  /// The process is there, and hears. Once at the most.
  package static let begun: UInt16 = 17
}

package enum FrameFlags {
  /// Items or outputs lie one behind the other as they are in memory; otherwise each has a record (`Records`).
  package static let packed: UInt16 = 1
  package static let segment: UInt16 = 2
  package static let final: UInt16 = 4
  package static let undecodable: UInt16 = 8
  package static let failed: UInt16 = 16
  package static let empty: UInt16 = 32
  package static let timed: UInt16 = 64
  package static let measuresMemory: UInt16 = 128
}

/// What a chunk's payload begins with.
struct ChunkHead: BitwiseCopyable {
  var first: Int64
  var seed: UInt64
  var attempt: Int64
  var padding: Int64 = 0
}

/// The other side of a lane said something that cannot be.
package struct WireProblem: Error, CustomStringConvertible {
  package let description: String
  init(_ description: String) { self.description = description }
}
