import MillraceIPC

/// The readers of the rings: the pool's of what a worker answers, and a worker's of what it is asked.
///
/// Input: the indices that the writer claims (head, end of the open frame) and the other reader's, then the ring's bytes.
struct FrameTarget: FuzzTarget {
  let name = "frame"
  private static let capacity = 4_096

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var size = 0
    for _ in 0..<random.below(12) {
      let header = FrameHeader(
        kind: UInt16(truncatingIfNeeded: random.next()), flags: UInt16(random.below(256)),
        a: UInt32(truncatingIfNeeded: random.next()), b: random.next(), c: random.next())
      frames.append(frame(header, random.bytes(random.below(200))))
      size += frames.last!.count
    }
    let open = frame(FrameHeader(kind: 12), random.bytes(8 * random.below(9)))
    return [littleEndian(UInt64(size)), littleEndian(UInt64(size + open.count)), littleEndian(0)] + frames + [open]
  }

  func read(_ bytes: [UInt8]) throws {
    let lane = try Lane(ringCapacity: Self.capacity)
    var parent = ParentEnd(lane)
    var worker = WorkerEnd(lane, bell: .futex, spin: 0)
    let memory = try HostileMemory(of: lane)
    // Where the pool has written nothing.
    let other = try Lane(ringCapacity: Self.capacity)
    var writer = ParentEnd(other)
    for (ring, start) in [(LaneLayout.requestsOffset, 0), (LaneLayout.responsesOffset, Self.capacity)] {
      var words = WordReader(bytes)
      memory.set(ring + LaneLayout.headOffset, words.word())
      memory.set(ring + LaneLayout.openEndOffset, words.word())
      try HostileMemory(of: other).set(LaneLayout.requestsOffset + LaneLayout.tailOffset, words.word())
      memory.set(SharedMemory.pageSize + start, words.rest.prefix(Self.capacity))
    }
    // One end is refused: so is the input; but the other end has to be looked at too.
    let results = [
      Result { try readAnswers(&parent) }, Result { try readRequests(&worker) }, Result { try writeRequests(&writer) },
    ]
    for case .failure(let problem as FuzzProblem) in results { throw problem }
    for result in results { try result.get() }
  }

  private func readAnswers(_ end: inout ParentEnd) throws {
    var walk = Walk(base: UnsafeRawPointer(end.responses.ring.next))
    _ = try end.armResponses()
    while let frame = try end.responses.next() { try walk.visit(frame) }
    if let frame = try end.responses.uncommitted() { try walk.visit(frame) }
  }

  private func readRequests(_ end: inout WorkerEnd) throws {
    var walk = Walk(base: UnsafeRawPointer(end.requests.ring.next))
    while let frame = try end.requests.nextClaimed() { try walk.visit(frame) }
  }

  /// The pool writes beside what the worker says that it has read.
  private func writeRequests(_ end: inout ParentEnd) throws {
    let position = end.requests.position
    for _ in 0..<4 {
      guard let place = try end.requests.send(FrameHeader(kind: 2, b: 7)) else { break }
      _ = try end.requests.revoke(at: place)
    }
    _ = try end.requests.revoke(at: position &- 64)
    _ = try end.armRequestSpace(1_000)
  }

  /// Whether frames lie within the ring and its second view, and are no more than fit.
  private struct Walk {
    let base: UnsafeRawPointer
    private var capacity: Int { FrameTarget.capacity }
    private var bytes = 0
    private var sum: UInt64 = 0

    init(base: UnsafeRawPointer) { self.base = base }

    mutating func visit(_ frame: Frame) throws {
      guard let start = frame.payload.baseAddress else { throw FuzzProblem("a frame without a place") }
      let offset = start - base
      try promise(
        offset >= FrameHeader.size && frame.payload.count <= capacity - FrameHeader.size
          && offset + frame.payload.count <= 2 * capacity,
        "a frame of \(frame.payload.count) bytes at \(offset) of a ring of \(capacity)")
      bytes += FrameHeader.size + frame.payload.count
      try promise(bytes <= 2 * capacity, "\(bytes) bytes were read of a ring of \(capacity)")
      for byte in frame.payload { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01B3 }
    }
  }
}
