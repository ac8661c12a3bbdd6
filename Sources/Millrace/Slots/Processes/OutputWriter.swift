import MillraceIPC
import Synchronization

/// Puts the outputs of chunks, one after the other, into the response ring of a lane.
///
/// Outputs of fixed size are made in their final place in the ring by the run itself; others are encoded, each as soon as
/// it is made. Either way the parent finds all that the progress word counts, if this process dies the next moment.
final class OutputWriter<Output> {
  /// Where the next outputs go.
  struct Room {
    let range: Range<Int>
    let place: UnsafeMutablePointer<Output>
    let sink: ((Int, Output) throws -> Void)?
  }

  private let coding: PayloadCoding<Output>
  private let lane: HostLane
  // Of the lane's thread alone, which is in them once at a time: small chunks pay for each check.
  @exclusivity(unchecked) private var chunk: UInt64 = 0
  /// How many items the chunk has.
  @exclusivity(unchecked) private var count = 0
  /// When it began.
  @exclusivity(unchecked) private var begun: UInt64 = 0
  /// When the last one ended.
  @exclusivity(unchecked) private(set) var ended: UInt64 = 0
  private let nowhere: UnsafeMutablePointer<Output>
  /// The stride, if outputs can lie in the ring as they are.
  private let stride: Int?
  @exclusivity(unchecked) private var packedStart = 0
  @exclusivity(unchecked) private var isPackedOpen = false
  /// Outputs in the open frame of records.
  @exclusivity(unchecked) private var records = 0
  @exclusivity(unchecked) private var isDone = false
  @exclusivity(unchecked) private var scratch = ByteWriter()

  init(_ coding: PayloadCoding<Output>, lane: HostLane) {
    self.coding = coding
    self.lane = lane
    nowhere = .allocate(capacity: 1)
    if let stride = coding.fixedStride, MemoryLayout<Output>.alignment <= 8, stride <= lane.largestInline {
      self.stride = stride
    } else {
      stride = nil
    }
  }

  /// Another chunk begins, now or at the time that is given.
  func begin(_ request: ChunkRequest, at time: UInt64? = nil) {
    chunk = request.id
    count = request.count
    isDone = false
    begun = time ?? _monotonicNow()
  }

  /// Whether the end of the outputs that there is room for now says that the chunk is over.
  var endsWithItsRoom: Bool { isPackedOpen && !lane.measuresMemory && stride != 0 }

  deinit { nowhere.deallocate() }

  /// Room for the outputs of some of the items, from the first one on.
  func makeRoom(for items: Range<Int>) throws -> Room {
    guard let stride else { return Room(range: items, place: nowhere, sink: take) }
    if stride == 0 {
      packedStart = items.lowerBound
      isPackedOpen = true
      return Room(range: items, place: nowhere, sink: { _, _ in })
    }
    let (place, count) = try openPacked(items)
    return Room(
      range: items.lowerBound..<items.lowerBound + count,
      place: place.assumingMemoryBound(to: Output.self) - items.lowerBound, sink: nil)
  }

  /// Room in the ring for as many of the items as a frame takes; only where outputs can lie there, and are not empty.
  func openPacked(_ items: Range<Int>) throws -> (place: UnsafeMutableRawPointer, count: Int) {
    let stride = stride!
    let count = items.count * stride <= lane.largestInline ? items.count : max(1, lane.largestInline / stride)
    let place = try lane.openFrame(
      FrameHeader(kind: FrameKind.outputs, flags: FrameFlags.packed, b: chunk), payload: count * stride)
    // All of it is there for the parent to see; how much of it is meant, the progress word says.
    lane.end.responses.publish()
    packedStart = items.lowerBound
    isPackedOpen = true
    return (place, count)
  }

  /// The items before `end` have their outputs.
  func closeRoom(upTo end: Int) throws {
    guard isPackedOpen, let stride else { return }
    isPackedOpen = false
    lane.endIfCrashing()
    let count = end - packedStart
    let header = header(FrameFlags.packed, outputs: count, upTo: end)
    if stride == 0 {
      if count > 0 { try lane.send(header) }
    } else if count == 0 {
      lane.end.responses.abandon()
    } else {
      lane.end.responses.truncate(toPayload: count * stride)
      try lane.end.responses.update(header)
      try lane.end.responses.commit()
    }
  }

  /// The head of a frame of outputs, which also says that the chunk is over if these are the last.
  private func header(_ flags: UInt16, outputs: Int, upTo end: Int) -> FrameHeader {
    var header = FrameHeader(
      kind: FrameKind.outputs, flags: flags, a: UInt32(truncatingIfNeeded: outputs), b: chunk)
    if end == count, outputs > 0, !lane.measuresMemory {
      isDone = true
      header.flags |= FrameFlags.final
      ended = _monotonicNow()
      header.c = ended &- begun
      lane.watch.ended(items: count, elapsed: header.c)
    }
    return header
  }

  /// Takes an output that has to be encoded.
  private func take(_ offset: Int, _ output: Output) throws {
    try KillPoint.workerEncodesOutput.reachThrowing()
    let known = coding.byteCount(of: output)
    scratch.removeAll()
    if known == nil { try coding.encode(output, into: &scratch) }
    let count = known ?? scratch.count
    let size = Records.size(count)
    func write(to place: UnsafeMutableRawPointer) {
      KillPoint.workerWritesOutput.reachWriting { place.storeBytes(of: UInt64(count), as: UInt64.self) }
      place.storeBytes(of: UInt64(count), as: UInt64.self)
      if known != nil {
        coding.write(output, to: place + 8)
      } else if count > 0 {
        (place + 8).copyMemory(from: scratch.base, byteCount: count)
      }
    }
    if size > lane.largestInline {
      try flush()
      try lane.sendSegment(FrameHeader(kind: FrameKind.outputs, flags: FrameFlags.segment, a: 1, b: chunk), size, write)
      scratch.trim(above: 1 << 20)
      return
    }
    if records > 0, lane.end.responses.openPayload + size > lane.largestInline { try flush() }
    let place: UnsafeMutableRawPointer
    if records > 0, let more = try lane.end.responses.append(count: size) {
      place = more
    } else {
      try flush()
      place = try lane.openFrame(FrameHeader(kind: FrameKind.outputs, b: chunk), payload: size)
    }
    write(to: place)
    KillPoint.workerWroteOutput.reach()
    records += 1
    try lane.end.responses.update(
      FrameHeader(kind: FrameKind.outputs, a: UInt32(truncatingIfNeeded: records), b: chunk))
    lane.end.responses.publish()
  }

  private func flush() throws {
    guard records > 0 else { return }
    lane.endIfCrashing()
    records = 0
    try lane.end.responses.commit()
  }

  /// Reports the item at `offset`, the first without an outcome; false if nobody wants to know, or nothing is behind it any more.
  func itemFailed(_ error: any Error, isUndecodable: Bool, at offset: Int) throws -> Bool {
    try flush()
    scratch.removeAll()
    try WireError(error.forUsers).encode(into: &scratch)
    try lane.send(
      FrameHeader(
        kind: FrameKind.itemFailed, flags: isUndecodable ? FrameFlags.undecodable : 0, b: chunk,
        c: UInt64(truncatingIfNeeded: offset)), scratch.bytes)
    let done = LaneLayout.tag(chunk) | UInt64(truncatingIfNeeded: offset)
    let (isDone, found) = lane.lane.progress.pointee.compareExchange(
      expected: done, desired: done &+ 1, ordering: .acquiringAndReleasing)
    if !isDone, found == done | LaneLayout.last {
      // It counts, as the chunk's last.
      _ = lane.lane.progress.pointee.compareExchange(
        expected: found, desired: found &+ 1, ordering: .acquiringAndReleasing)
    }
    return isDone
  }

  /// The chunk is over, after so many items.
  func finish(items: Int) throws {
    if records > 0 { try lane.end.responses.update(header(0, outputs: records, upTo: items)) }
    try flush()
    if isDone { return }
    ended = _monotonicNow()
    lane.watch.ended(items: items, elapsed: ended &- begun)
    try lane.sendDone(chunk, items: items, elapsed: ended &- begun)
  }
}
