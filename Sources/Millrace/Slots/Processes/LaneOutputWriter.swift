import MillraceIPC

/// Puts the outputs of chunks, one after the other, into the response ring of a lane.
///
/// Outputs of fixed size are made in their final place in the ring by the run itself; others are encoded, each as soon as
/// it is made. Either way the parent finds all that the progress word counts, if this process dies the next moment. Of outputs
/// without a size there is nothing to find: the word says it all.
final class LaneOutputWriter<Output>: OutputWriter<Output> {
  private let lane: HostLane
  /// The stride, if outputs can lie in the ring as they are.
  private let stride: Int?
  // Of the lane's thread alone, which is in them once at a time: small chunks pay for each check.
  @exclusivity(unchecked) private var packedStart = 0
  @exclusivity(unchecked) private var isPackedOpen = false
  /// Outputs in the open frame of records.
  @exclusivity(unchecked) private var records = 0

  init(_ coding: PayloadCoding<Output>, _ host: WorkerHost, lane: HostLane) {
    self.lane = lane
    if let stride = coding.fixedStride, MemoryLayout<Output>.alignment <= 8, stride <= lane.largestInline {
      self.stride = stride
    } else {
      stride = nil
    }
    super.init(coding, host)
  }

  override var endsWithItsRoom: Bool { isPackedOpen && !host.measuresMemory && stride != 0 }

  override func makeRoom(for items: Range<Int>) throws -> Room {
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
  override func openPacked(_ items: Range<Int>) throws -> (place: UnsafeMutableRawPointer, count: Int) {
    let stride = stride!
    let count = items.count * stride <= lane.largestInline ? items.count : max(1, lane.largestInline / stride)
    let place = try lane.openFrame(.outputs(0, of: chunk, .packed), payload: count * stride)
    // All of it is there for the parent to see; how much of it is meant, the progress word says.
    lane.end.responses.publish()
    packedStart = items.lowerBound
    isPackedOpen = true
    return (place, count)
  }

  override func closeRoom(upTo end: Int) throws {
    guard isPackedOpen, let stride else { return }
    isPackedOpen = false
    lane.endIfCrashing()
    let count = end - packedStart
    let header = header(.packed, outputs: count, upTo: end)
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

  override func take(_ offset: Int, _ output: Output) throws {
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
      try lane.sendSegment(.outputs(1, of: chunk, .segment), size, write)
      scratch.trim(above: 1 << 20)
      return
    }
    if records > 0, lane.end.responses.openPayload + size > lane.largestInline { try flush() }
    let place: UnsafeMutableRawPointer
    if records > 0, let more = try lane.end.responses.append(count: size) {
      place = more
    } else {
      try flush()
      place = try lane.openFrame(.outputs(0, of: chunk), payload: size)
    }
    write(to: place)
    KillPoint.workerWroteOutput.reach()
    records += 1
    try lane.end.responses.update(.outputs(records, of: chunk))
    lane.end.responses.publish()
  }

  override func flush(upTo end: Int? = nil) throws {
    guard records > 0 else { return }
    if let end { try lane.end.responses.update(header([], outputs: records, upTo: end)) }
    lane.endIfCrashing()
    records = 0
    try lane.end.responses.commit()
  }
}
