/// Where everything is in the memory of a lane.
///
/// Both ends must agree on it to the byte.
///
/// ```
/// file:       header page | request ring | response ring
/// addresses:  header page | request ring | request ring again | response ring | response ring again
/// ```
///
/// Each ring is mapped twice, back to back, so any run of bytes up to its capacity is contiguous.
/// Words written by different sides are 128 bytes apart: CPUs fetch cache lines in pairs.
package enum LaneLayout {
  package static let magic: UInt64 = 0x4D49_4C4C_5241_4345  // "MILLRACE"

  /// Changes whenever anything in this file, in `Frame` or in `SegmentLayout` does.
  package static let version: UInt32 = 3

  // Fixed at creation, but for the flags.
  package static let magicOffset = 0
  package static let versionOffset = 8
  package static let headerSizeOffset = 12
  package static let requestCapacityOffset = 16
  package static let responseCapacityOffset = 24
  package static let epochOffset = 32
  package static let closedOffset = 44

  // A ring's words, from its own offset.
  package static let requestsOffset = 128
  package static let responsesOffset = 640
  package static let headOffset = 0
  package static let openEndOffset = 128
  package static let tailOffset = 256
  package static let dataWantedOffset = 384
  package static let spaceWantedOffset = 388

  package static let markerOffset = 1152  // the worker writes here at each item, so nothing else shares the line
  /// The bit of the progress word that says that the rest of the chunk is not wanted.
  package static let abandoned: UInt64 = 1 << 63
  /// The bit of the progress word that says that the current item is the chunk's last: what is behind it is others' now. It
  /// stays when that item is done.
  package static let last: UInt64 = 1 << 62
  /// The bits of the progress word that count completed items. Those between say of which chunk.
  package static let completed: UInt64 = 1 << 40 - 1
  /// What the progress word holds of a chunk's number, so that nobody abandons or cuts another.
  package static func tag(_ chunk: UInt64) -> UInt64 { chunk << 40 & ~(abandoned | last) }
  package static let crashRecordOffset = 1280
  package static let crashRecordSize = 256
  // Of the worker's standard error: the parent counts here what it has read of it, and is at it while the first word is odd.
  package static let errorReadsOffset = 1536
  package static let errorBytesOffset = 1544
  package static let headerEnd = 1664

  package static let capacities = SharedMemory.pageSize...(1 << 30)

  /// The smallest power of two that a ring can have and that holds `bytes`.
  static func capacity(holding bytes: Int) -> Int {
    var capacity = capacities.lowerBound
    while capacity < min(bytes, capacities.upperBound) { capacity *= 2 }
    return capacity
  }
}
