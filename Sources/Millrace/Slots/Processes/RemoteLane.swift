package import MillraceIPC

/// The pool's side of a lane: what was sent to its worker and has not been answered yet.
///
/// Belongs to the control thread, which is never in it twice: hence no checks of exclusive access where chunks go by.
package final class RemoteLane {
  /// A chunk on its way: the items before `received` have their outcomes.
  package final class SentChunk {
    package let chunk: Chunk
    let record: WorkerRecord
    let position: UInt64
    /// The size of its encoded items.
    let bytes: Int
    @exclusivity(unchecked) package fileprivate(set) var received = 0
    /// The worker was told that the rest is not wanted, of it or of one before it.
    @exclusivity(unchecked) fileprivate var isCancelled = false

    init(_ chunk: Chunk, _ record: WorkerRecord, position: UInt64, bytes: Int) {
      self.chunk = chunk
      self.record = record
      self.position = position
      self.bytes = bytes
    }
  }

  package enum Request {
    case open(WorkerRecord, announcement: [UInt8])
    case chunk(Chunk, WorkerRecord)
    case tearDown(WorkerKey)
    case stop
  }

  /// What a worker said.
  package enum Answer {
    case opened(WorkerKey)
    case openFailed(WorkerKey, any Error)
    case outputs(SentChunk, upTo: Int, any AnyObject & Sendable)
    /// Outputs of some items, of which some could not be decoded.
    case mixed(SentChunk, Range<Int>, any AnyObject & Sendable, [(index: Int, error: any Error)])
    case itemFailed(SentChunk, index: Int, ItemFailure.Cause)
    case done(SentChunk, items: Int, elapsed: UInt64, memory: Int?)
    case tornDown(WorkerKey, Result<any Sendable, any Error>?)
    case stopped
  }

  let slot: Int
  let generation: Int
  let number: Int
  package let lane: Lane
  /// The worker that the lane's process was forked for, if it was.
  let forkedFor: WorkerKey?
  @exclusivity(unchecked) private var end: ParentEnd
  private var sender = SegmentSender()
  private var receiver = SegmentReceiver()
  @exclusivity(unchecked) package private(set) var inFlight = FIFO<SentChunk>()
  /// Requests that the ring has no room for yet.
  @exclusivity(unchecked) private var waiting = FIFO<Request>()
  /// The workers that it was told to open.
  @exclusivity(unchecked) private(set) var records: [WorkerKey: WorkerRecord] = [:]
  /// Of those, the ones that have not answered.
  private var opening: Set<WorkerKey> = []
  private var tearingDown: [WorkerKey: WorkerRecord] = [:]
  private(set) var isToldToStop = false
  /// What waits does so until memory is given back, not for room in the ring.
  @exclusivity(unchecked) private var isShortOfMemory = false
  @exclusivity(unchecked) private var hasAnswered = false
  /// The chunk that ended last: a worker's marker may still show it.
  @exclusivity(unchecked) private var lastEnded: UInt64?
  /// What a frame of outputs said besides: that its chunk is over.
  @exclusivity(unchecked) private var ending: Answer?
  var hasStopped = false
  /// It said what cannot be: nothing more of it is read.
  @exclusivity(unchecked) var isBroken = false

  package init(slot: Int, generation: Int, number: Int, forkedFor: WorkerKey?, capacity: Int) throws {
    self.slot = slot
    self.generation = generation
    self.number = number
    self.forkedFor = forkedFor
    lane = try Lane(ringCapacity: capacity, epoch: UInt64(generation))
    end = ParentEnd(lane)
  }

  // MARK: Sending

  /// Sends the request, or keeps it until there is room. `announce` passes a new segment's descriptor on.
  package func send(_ request: Request, announce: (UInt32, Int32) throws -> Void) throws {
    if case .open(let record, _) = request { records[record.key] = record }
    if !waiting.isEmpty {
      waiting.append(request)
    } else if !(try trySend(request, announce)) {
      waiting.append(request)
    }
  }

  /// Sends what waited for room.
  func sendWaiting(announce: (UInt32, Int32) throws -> Void) throws {
    do {
      while let request = waiting.first, try trySend(request, announce) { _ = waiting.popFirst() }
    } catch let error as Unsendable {
      _ = waiting.popFirst()
      throw error
    }
  }

  /// There is no memory in which the chunk could be sent, though nothing else of the lane's is on its way.
  struct Unsendable: Error {
    let chunk: Chunk
    let reason: MemoryError
  }

  private func trySend(_ request: Request, _ announce: (UInt32, Int32) throws -> Void) throws -> Bool {
    isShortOfMemory = false
    switch request {
    case .open(let record, let announcement):
      let header = FrameHeader(kind: FrameKind.open, b: UInt64(record.key.value))
      let position = try put(header, announcement.count, announce) { target in
        announcement.withUnsafeBytes {
          if $0.count > 0 { target.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        }
      }
      guard position != nil else { return false }
      opening.insert(record.key)
      return true
    case .chunk(let chunk, let record):
      KillPoint.parentSendsChunk.reach()
      let items = record.remote.prepare(chunk.cell, chunk.range)
      var flags = items.isPacked ? FrameFlags.packed : 0
      if chunk.inspectAt != nil { flags |= FrameFlags.timed }
      if record.measuresMemory { flags |= FrameFlags.measuresMemory }
      let header = FrameHeader(
        kind: FrameKind.chunk, flags: flags, a: UInt32(chunk.range.count), b: UInt64(chunk.id),
        c: UInt64(record.key.value))
      let head = ChunkHead(first: Int64(chunk.range.lowerBound), seed: chunk.seed, attempt: Int64(chunk.attempt))
      let headSize = MemoryLayout<ChunkHead>.size
      let position: UInt64?
      do {
        position = try put(header, headSize + items.size, announce) { target in
          target.storeBytes(of: head, as: ChunkHead.self)
          items.write(target + headSize)
        }
      } catch let error as MemoryError {
        // What is on its way will give some back.
        guard !inFlight.isEmpty else { throw Unsendable(chunk: chunk, reason: error) }
        isShortOfMemory = true
        return false
      }
      guard let position else { return false }
      KillPoint.parentSentChunk.reach()
      inFlight.append(SentChunk(chunk, record, position: position, bytes: items.size))
      return true
    case .tearDown(let key):
      return try put(FrameHeader(kind: FrameKind.tearDown, b: UInt64(key.value)), 0, announce) { _ in } != nil
    case .stop:
      guard try put(FrameHeader(kind: FrameKind.stop), 0, announce, { _ in }) != nil else { return false }
      isToldToStop = true
      return true
    }
  }

  /// Writes a frame, its payload in place or in a segment; its position, or nil if there is no room.
  private func put(
    _ header: FrameHeader, _ size: Int, _ announce: (UInt32, Int32) throws -> Void,
    _ write: (UnsafeMutableRawPointer) -> Void
  ) throws -> UInt64? {
    if size <= lane.requestCapacity / 4 {
      guard try end.requests.begin(header) else { return nil }
      guard let place = try end.requests.append(count: size) else {
        end.requests.abandon()
        return nil
      }
      write(place)
      return try end.requests.commit()
    }
    var header = header
    header.flags |= FrameFlags.segment
    guard try end.requests.begin(header) else { return nil }
    guard let place = try end.requests.append(count: MemoryLayout<SegmentReference>.size) else {
      end.requests.abandon()
      return nil
    }
    let placement: Placement
    do {
      placement = try sender.place(size)
      write(placement.buffer.baseAddress!)
      if let descriptor = placement.newDescriptor { try announce(placement.id, descriptor) }
    } catch {
      end.requests.abandon()
      throw error
    }
    place.storeBytes(
      of: SegmentReference(id: UInt64(placement.id), length: UInt64(size)), as: SegmentReference.self)
    return try end.requests.commit()
  }

  package func willTearDown(_ record: WorkerRecord) {
    records[record.key] = nil
    tearingDown[record.key] = record
  }

  func holds(_ id: Int) -> Bool {
    inFlight.elements.contains { $0.chunk.id == id }
      || waiting.elements.contains { if case .chunk(let chunk, _) = $0 { chunk.id == id } else { false } }
  }

  /// Takes the chunk back, if the worker has not begun it.
  func revoke(_ id: Int) throws -> Bool {
    let queued = waiting.extract { if case .chunk(let chunk, _) = $0 { chunk.id == id } else { false } }
    if !queued.isEmpty { return true }
    guard let sent = inFlight.elements.first(where: { $0.chunk.id == id }) else { return false }
    guard try end.requests.revoke(at: sent.position) else { return false }
    _ = inFlight.extract { $0.chunk.id == id }
    return true
  }

  /// Tells the worker that the rest of the chunk is not wanted.
  func cancel(_ id: Int) {
    guard lane.snapshot().chunk == UInt64(id) else { return }
    // It may be at the next one before it comes to see this.
    for sent in inFlight.elements { sent.isCancelled = true }
    _ = lane.progress.abandon()
  }

  /// What the worker is doing about the chunk.
  package func inspect(_ id: Int) -> Inspection {
    guard let sent = inFlight.first, sent.chunk.id == id else { return .waiting }
    let snapshot = lane.snapshot()
    // The worker wrote all of this: it may be anything.
    switch snapshot.state {
    case .settingUp where !opening.isEmpty, .tearingDown where !tearingDown.isEmpty: return .waiting
    case _ where !isPossible(snapshot):
      // It has been overwritten, by the item that is not heard of.
      return .item(sent.chunk.range.lowerBound + sent.received, since: nil)
    case .running where snapshot.chunk == UInt64(id):
      let completed = min(snapshot.completed, sent.chunk.range.count)
      // A time to come would be no limit at all.
      let start = snapshot.itemStart.flatMap { $0 <= _monotonicNow() ? $0 : nil }
      return .item(sent.chunk.range.lowerBound + completed, since: start)
    // At the very end of the chunk before, or at nothing.
    case .running, .idle, .settingUp, .tearingDown, nil: return .untouched
    }
  }

  // MARK: Receiving

  /// The next answer, if there is one.
  package func next(fetchSegments: () throws -> Void) throws -> Answer? {
    if let answer = ending {
      ending = nil
      return answer
    }
    guard !isBroken, let frame = try end.responses.next() else { return nil }
    hasAnswered = true
    do {
      return try answer(frame, count: Int(frame.header.a), fetchSegments)
    } catch {
      // What follows might be taken for something that it is not.
      isBroken = true
      throw error
    }
  }

  private func answer(_ frame: Frame, count: Int, _ fetchSegments: () throws -> Void) throws -> Answer {
    let (payload, segment) = try resolve(frame, fetchSegments)
    defer { if let segment { receiver.release(segment) } }
    let key = WorkerKey(Int(truncatingIfNeeded: frame.header.b))
    let flags = frame.header.flags
    switch frame.header.kind {
    case FrameKind.opened, FrameKind.openFailed:
      guard opening.remove(key) != nil else { throw WireProblem("a set-up that nobody asked for") }
      return frame.header.kind == FrameKind.opened ? .opened(key) : .openFailed(key, try error(payload))
    case FrameKind.stopped:
      guard isToldToStop, inFlight.isEmpty, !hasStopped else { throw WireProblem("an end that nobody asked for") }
      hasStopped = true
      return .stopped
    case FrameKind.tornDown:
      guard let record = tearingDown.removeValue(forKey: key) else { throw WireProblem("an exit of no worker") }
      if flags & FrameFlags.failed != 0 { return .tornDown(key, .failure(try error(payload))) }
      if flags & FrameFlags.empty != 0 { return .tornDown(key, nil) }
      return .tornDown(key, Result { try record.remote.decodeExit(payload) })
    case FrameKind.outputs:
      let sent = try first(frame.header.b)
      let items = sent.chunk.range.count
      let isFinal = flags & FrameFlags.final != 0
      // Before anything is noted: what is refused was not said.
      guard !isFinal || sent.received + count == items else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      let answer = try outputs(payload, isPacked: flags & FrameFlags.packed != 0, count: count, chunk: frame.header.b)
      if isFinal {
        leave(sent)
        ending = .done(sent, items: items, elapsed: frame.header.c, memory: nil)
      }
      return answer
    case FrameKind.itemFailed:
      let sent = try first(frame.header.b)
      let offset = sent.received
      guard offset < sent.chunk.range.count, frame.header.c == UInt64(offset) else {
        throw WireProblem("a failure of an item that is not the next")
      }
      let error = try error(payload)
      sent.received += 1
      let cause = flags & FrameFlags.undecodable != 0 ? ItemFailure.Cause.undecodable(error) : .threw(error)
      return .itemFailed(sent, index: sent.chunk.range.lowerBound + offset, cause)
    case FrameKind.chunkDone:
      let sent = try first(frame.header.b)
      guard sent.received == sent.chunk.range.count || sent.isCancelled else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      leave(sent)
      let memory = payload.count >= 8 ? Int(clamping: payload.loadUnaligned(as: UInt64.self)) : nil
      return .done(sent, items: min(count, sent.chunk.range.count), elapsed: frame.header.c, memory: memory)
    default: throw WireProblem("an answer of kind \(frame.header.kind)")
    }
  }

  private func leave(_ sent: SentChunk) {
    _ = inFlight.popFirst()
    lastEnded = UInt64(sent.chunk.id)
  }

  private func first(_ chunk: UInt64) throws -> SentChunk {
    guard let sent = inFlight.first, UInt64(sent.chunk.id) == chunk else {
      throw WireProblem("an answer about chunk \(chunk), which is not the one that runs")
    }
    return sent
  }

  private func outputs(
    _ payload: UnsafeRawBufferPointer, isPacked: Bool, count: Int, chunk: UInt64
  ) throws -> Answer {
    let sent = try first(chunk)
    guard count > 0, count <= sent.chunk.range.count - sent.received else {
      throw WireProblem("\(count) outputs where \(sent.chunk.range.count - sent.received) are missing")
    }
    let index = sent.chunk.range.lowerBound + sent.received
    let (outputs, broken) = try sent.record.remote.decode(payload, isPacked: isPacked, count: count, first: index)
    sent.received += count
    if broken.isEmpty { return .outputs(sent, upTo: index + count, outputs) }
    return .mixed(sent, index..<index + count, outputs, broken)
  }

  private func error(_ payload: UnsafeRawBufferPointer) throws -> any Error {
    let error = try WireError.decode(from: payload)
    return error.value ?? RemoteError(typeName: error.typeName, message: error.description)
  }

  private func resolve(
    _ frame: Frame, _ fetchSegments: () throws -> Void
  ) throws -> (UnsafeRawBufferPointer, UInt32?) {
    guard frame.header.flags & FrameFlags.segment != 0 else { return (frame.payload, nil) }
    guard frame.payload.count >= MemoryLayout<SegmentReference>.size else { throw WireProblem("no segment") }
    let reference = frame.payload.loadUnaligned(as: SegmentReference.self)
    guard let id = UInt32(exactly: reference.id) else { throw WireProblem("segment \(reference.id)") }
    // Its descriptor was sent before the frame was.
    if !receiver.contains(id) { try fetchSegments() }
    return (try receiver.resolve(id, length: Int(clamping: reference.length)), id)
  }

  package func adopt(_ id: UInt32, _ descriptor: Int32) throws { try receiver.adopt(id, descriptor: descriptor) }

  package func knowsSegment(_ id: UInt32) -> Bool { receiver.contains(id) }

  // MARK: Sleep

  /// Asks the worker to ring when there is something to do; false if there is already.
  func arm() throws -> Bool {
    guard try end.armResponses() else { return false }
    // A quarter of the ring: room for whatever waits.
    if !waiting.isEmpty, !isShortOfMemory { return try end.armRequestSpace(lane.requestCapacity / 4) }
    return true
  }

  func disarm() { end.disarm() }

  // MARK: After a death

  /// What the worker made and had not handed over yet, and the item that was running.
  package func salvage(fetchSegments: () throws -> Void) -> (answers: [Answer], running: Int?) {
    var answers: [Answer] = []
    var isIntact = true
    do {
      while let answer = try next(fetchSegments: fetchSegments) { answers.append(answer) }
    } catch {
      // What cannot be read was not said: its items are run again.
      isIntact = false
    }
    let snapshot = lane.snapshot()
    guard let sent = inFlight.first else { return (answers, nil) }
    guard isIntact, isPossible(snapshot) else {
      // Something has written over its memory, and has to answer for it: nobody is to run it for ever.
      return (answers, suspect?.chunk.id)
    }
    guard snapshot.state == .running, snapshot.chunk != lastEnded else { return (answers, nil) }
    guard UInt64(sent.chunk.id) == snapshot.chunk else { return (answers, suspect?.chunk.id) }
    let done = min(snapshot.completed, sent.chunk.range.count)
    let count = done - sent.received
    if count > 0, let frame = try? end.responses.uncommitted(), frame.header.kind == FrameKind.outputs,
      frame.header.b == snapshot.chunk
    {
      let isPacked = frame.header.flags & FrameFlags.packed != 0
      if let answer = try? outputs(frame.payload, isPacked: isPacked, count: count, chunk: snapshot.chunk) {
        answers.append(answer)
      }
    }
    guard let now = inFlight.first, now.received < now.chunk.range.count, now.received <= done else {
      return (answers, nil)
    }
    return (answers, now.chunk.id)
  }

  /// The chunk that is to blame where what it left cannot be: the one that its marker shows, or else the first.
  var suspect: SentChunk? {
    let marker = lane.snapshot()
    let shown = inFlight.elements.first { marker.state == .running && UInt64($0.chunk.id) == marker.chunk }
    let suspect = shown ?? inFlight.first
    return suspect.flatMap { $0.received < $0.chunk.range.count ? $0 : nil }
  }

  /// Whether a worker in its right mind may have left its marker so.
  private func isPossible(_ marker: LaneSnapshot) -> Bool {
    switch marker.state {
    case .idle: marker.heartbeat > 0 || !hasAnswered
    case .settingUp: !opening.isEmpty
    case .tearingDown: !tearingDown.isEmpty || isToldToStop
    // The end of the first may be in the ring, and the next begun.
    case .running: marker.chunk == lastEnded || inFlight.elements.contains { UInt64($0.chunk.id) == marker.chunk }
    case nil: false
    }
  }
}
