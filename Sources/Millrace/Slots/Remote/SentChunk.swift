import MillraceIPC

/// A chunk, or a batch of chunks, that was given to a worker elsewhere: each chunk is a frame with a number of its own.
package final class SentChunk {
  package private(set) var chunk: Chunk
  let record: WorkerRecord
  /// The bytes of an item and of an output, if they travel as they lie in memory.
  let inputStride: Int?
  let outputStride: Int?
  /// The number of its first frame, which those of the others follow.
  let number: UInt64
  /// How many frames the worker gets. Those behind were taken back.
  @exclusivity(unchecked) private(set) var frames: Int
  /// Where the transport has put its frames; those that are nowhere yet wait for room.
  @exclusivity(unchecked) private(set) var positions: [UInt64]
  /// The segments of those whose items travel in one.
  private var segments: [Int: UInt32] = [:]
  /// The shared objects that are in its items: kept until it is over.
  private var shared: [SharedBlock] = []
  /// The size of its encoded items.
  @exclusivity(unchecked) package private(set) var bytes = 0
  /// The size of what has come back for them.
  @exclusivity(unchecked) package private(set) var bytesBack = 0
  /// Whether the worker is to say with its last frame how much memory it has.
  let samplesMemory: Bool
  /// Frames that the worker is done with.
  @exclusivity(unchecked) private(set) var answered = 0
  /// How many of its items have their outcomes: the first ones.
  @exclusivity(unchecked) package private(set) var received = 0
  /// Items that were run, and the nanoseconds that they took, as the worker says.
  @exclusivity(unchecked) private(set) var run = 0
  @exclusivity(unchecked) private(set) var elapsed: UInt64 = 0
  /// What goes to the worker with each of its frames, before the items; mostly nothing.
  @exclusivity(unchecked) private var baggage: [UInt8] = []
  /// How many bytes stand before the items of a frame.
  @exclusivity(unchecked) private(set) var headSize = MemoryLayout<ChunkHead>.size
  /// The worker was told that the rest is not wanted.
  @exclusivity(unchecked) private(set) var isCancelled = false

  /// - Parameter number: of its first frame.
  init(_ chunk: Chunk, _ record: WorkerRecord, number: UInt64, samplesMemory: Bool = false) {
    self.chunk = chunk
    self.samplesMemory = samplesMemory
    self.record = record
    inputStride = record.remote.inputStride
    outputStride = record.remote.outputStride
    self.number = number
    frames = chunk.count
    positions = []
    positions.reserveCapacity(frames)
  }

  // MARK: Its frames

  /// The items of a frame, counted from the chunk's first.
  func items(ofFrame frame: Int) -> Range<Int> {
    let start = frame * chunk.grain
    return start..<min(start + chunk.grain, chunk.range.count)
  }

  /// Which of its frames has the number.
  func frame(numbered number: UInt64) -> Int? {
    number >= self.number && number - self.number < UInt64(frames) ? Int(number - self.number) : nil
  }

  var isSent: Bool { positions.count >= frames }
  var isDone: Bool { answered == frames }
  /// What is said next has to be about this frame.
  var currentNumber: UInt64 { number + UInt64(answered) }
  /// The number of its last frame.
  var lastNumber: UInt64 { number + UInt64(max(0, positions.count - 1)) }
  /// Up to where the outcomes of that frame go.
  var currentEnd: Int { min((answered + 1) * chunk.grain, chunk.range.count) }
  /// How many those are.
  var currentCount: Int { currentEnd - answered * chunk.grain }
  /// The outcomes of that frame that are here.
  var currentReceived: Int { received - answered * chunk.grain }
  /// The end of its items, in the input.
  package var end: Int { min(chunk.range.lowerBound + frames * chunk.grain, chunk.range.upperBound) }

  /// Whether one of its items has no outcome yet.
  var hasMore: Bool { chunk.range.lowerBound + received < end }

  /// The items of the frame that is to be sent next, in the input.
  var nextRange: Range<Int> {
    let items = items(ofFrame: positions.count)
    return chunk.range.lowerBound + items.lowerBound..<chunk.range.lowerBound + items.upperBound
  }

  func header(_ range: Range<Int>, isPacked: Bool) -> FrameHeader {
    var flags: FrameFlags = isPacked ? .packed : []
    if chunk.inspectAt != nil { flags.insert(.timed) }
    if record.measuresMemory {
      flags.insert(.measuresMemory)
    } else if samplesMemory, positions.count == frames - 1 {
      flags.insert(.samplesMemory)
    }
    if !baggage.isEmpty { flags.insert(.baggage) }
    return .chunk(number + UInt64(positions.count), of: UInt64(record.key.value), items: range.count, flags)
  }

  /// Before its first frame is sent: if somebody goes along with its map, what goes around its items goes with them.
  func pack() {
    guard let companion = chunk.companion else { return }
    baggage = companion.surroundings(ofChunk: chunk.id).baggage.block
    headSize = MemoryLayout<ChunkHead>.size + baggage.count
  }

  /// The items of a frame, as they travel.
  func items(_ range: Range<Int>, _ scratch: EncodingScratch) -> EncodedItems {
    let inputs = unsafeDowncast(chunk.cell, to: InputStore.self)
    guard let stride = inputStride else { return record.remote.prepare(inputs, range, scratch) }
    return EncodedItems(size: stride * range.count) { target in
      target.copyMemory(from: inputs.place(of: range.lowerBound, stride: stride), byteCount: stride * range.count)
    }
  }

  /// The payload of the frame that is sent next, for transports that write it in one go.
  func payload(_ range: Range<Int>, _ scratch: EncodingScratch) -> [UInt8] {
    let items = items(range, scratch)
    defer { scratch.clear() }
    return [UInt8](unsafeUninitializedCapacity: headSize + items.size) { buffer, count in
      let target = UnsafeMutableRawPointer(buffer.baseAddress!)
      writeHead(range, to: target)
      items.write(target + headSize)
      count = buffer.count
    }
  }

  func writeHead(_ range: Range<Int>, to target: UnsafeMutableRawPointer) {
    let origin = chunk.origin
    let head = ChunkHead(
      first: Int64(origin.index + range.lowerBound), seed: chunk.seed,
      attempt: Int64(origin.attempt - 1 + chunk.attempt))
    target.storeBytes(of: head, as: ChunkHead.self)
    if !baggage.isEmpty {
      baggage.withUnsafeBytes {
        (target + MemoryLayout<ChunkHead>.size).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
      }
    }
  }

  /// The next of its frames is on its way.
  func sent(at position: UInt64 = 0, segment: UInt32? = nil, bytes: Int) {
    if let segment { segments[positions.count] = segment }
    positions.append(position)
    self.bytes += bytes
  }

  /// These objects are in the items of its next frame.
  func names(_ objects: [SharedBlock]) { shared += objects }

  /// The frames from this one on were taken back; their segments.
  func takeBack(from frame: Int) -> [UInt32] {
    frames = frame
    return segments.isEmpty ? [] : (frame..<max(frame, positions.count)).compactMap { segments.removeValue(forKey: $0) }
  }

  /// The items of its last frame from this offset on were taken back.
  func cut(at offset: Int) {
    chunk.range = chunk.range.lowerBound..<chunk.range.lowerBound + items(ofFrame: frames - 1).lowerBound + offset
  }

  /// The rest of it is not wanted: the numbers of the frames that the worker is not done with.
  func cancel() -> Range<UInt64> {
    isCancelled = true
    return number + UInt64(answered)..<number + UInt64(frames)
  }

  // MARK: Its outcomes

  /// The next `count` items have their outcomes, which have come in so many bytes.
  func receive(_ count: Int, bytes: Int) {
    received += count
    bytesBack += bytes
  }

  /// The current frame is over; what of it was given up has no outcome.
  func finishFrame(items: Int, elapsed: UInt64) {
    run += min(items, currentCount)
    received = currentEnd
    answered += 1
    self.elapsed &+= elapsed
  }
}
