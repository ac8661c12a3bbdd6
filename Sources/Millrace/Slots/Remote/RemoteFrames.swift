import MillraceIPC

/// What the pool and a worker elsewhere say to each other, whatever carries it.
///
/// What the header's words are is in `FrameHeader+Kinds`. Where both have memory in common, a large payload travels in
/// a segment, and the frame holds its number and length (`FrameFlags.segment`).
package enum FrameKind: UInt16 {
  // Requests

  /// Make an instance of a worker and set it up. Payload: the announcement, none if the process was forked for the worker.
  case open = 1
  /// Run items of a worker. Payload: `ChunkHead`, with `FrameFlags.baggage` what goes around them, then the items.
  case chunk = 2
  case tearDown = 3
  /// Tear down what is left and end.
  case stop = 4
  /// The rest of the chunk is not wanted. For transports that have no other way to say so while it runs.
  case cancel = 6

  // Either way

  /// The segment was dropped, and is to be forgotten. No payload.
  case retired = 5

  // Responses

  case opened = 10
  /// Payload: a `WireError`.
  case openFailed = 11
  /// The outputs of the next items of the chunk. With `FrameFlags.final` they are the last, and it is said how long all of the
  /// chunk's items took.
  case outputs = 12
  /// The next item of the chunk failed. Payload: a `WireError`; it could not be sent if `FrameFlags.undecodable`.
  case itemFailed = 13
  /// The chunk is over, after so many items, in so long. Payload: resident bytes, if asked for.
  case chunkDone = 14
  /// Payload: the exit value, or a `WireError` with `FrameFlags.failed`; nothing with `FrameFlags.empty`.
  case tornDown = 15
  case stopped = 16
  /// The process is there, and hears. Once at the most.
  case begun = 17
}

package struct FrameFlags: OptionSet, Sendable {
  package let rawValue: UInt16
  @inline(__always) package init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Items or outputs lie one behind the other as they are in memory; otherwise each has a record (`Records`).
  package static let packed = FrameFlags(rawValue: 1)
  package static let segment = FrameFlags(rawValue: 2)
  package static let final = FrameFlags(rawValue: 4)
  package static let undecodable = FrameFlags(rawValue: 8)
  package static let failed = FrameFlags(rawValue: 16)
  package static let empty = FrameFlags(rawValue: 32)
  package static let timed = FrameFlags(rawValue: 64)
  package static let measuresMemory = FrameFlags(rawValue: 128)
  /// What failed did so on a pool there: its failure is an `ItemFailure`.
  package static let relayed = FrameFlags(rawValue: 256)
  /// What is to go around the chunk's items stands before them (`Baggage`).
  package static let baggage = FrameFlags(rawValue: 512)
  /// Of a chunk: its end is to say what is resident. Of outputs: it says so, beside the time.
  package static let samplesMemory = FrameFlags(rawValue: 1_024)
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
