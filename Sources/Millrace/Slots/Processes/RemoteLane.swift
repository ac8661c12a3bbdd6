package import MillraceIPC

/// The pool's side of a lane: the rings and the marker through which it speaks with its worker.
///
/// Belongs to the control thread, which is never in it twice: hence no checks of exclusive access where chunks go by.
package final class RemoteLane {
  package enum Request {
    /// Shared: the objects that are in the worker's configuration.
    case open(WorkerRecord, announcement: [UInt8], shared: [SharedBlock] = [])
    case chunk(Chunk, WorkerRecord)
    case tearDown(WorkerKey)
    case stop
    /// What of a batch has not been sent.
    case rest(SentChunk)
  }

  let slot: Int
  let generation: Int
  let number: Int
  package let lane: Lane
  /// The worker that the lane's process was forked for, if it was.
  let forkedFor: WorkerKey?
  @exclusivity(unchecked) var end: ParentEnd
  private var sender = SegmentSender()
  private let scratch = EncodingScratch()
  var receiver = SegmentReceiver()
  /// What it was asked, and has not answered.
  @exclusivity(unchecked) package var work = SentWork()
  /// Requests that the ring has no room for yet.
  @exclusivity(unchecked) private var waiting = FIFO<Request>()
  /// What waits does so until memory is given back, not for room in the ring.
  @exclusivity(unchecked) private var isShortOfMemory = false
  /// What waits does so for room on the worker's control socket.
  @exclusivity(unchecked) private(set) var waitsForSocket = false
  /// What goes beside the lane; nil where nothing can.
  var sharing: SharedTraffic?
  @exclusivity(unchecked) var hasAnswered = false
  /// What was wrong behind the answers that are still to be handed on.
  var problem: (any Error)?
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
    if case .open(let record, _, _) = request { work.willOpen(record) }
    if !waiting.isEmpty {
      waiting.append(request)
    } else if !(try trySend(request, announce)) {
      waiting.append(request)
    }
  }

  /// Sends what waited for room.
  func sendWaiting(announce: (UInt32, Int32) throws -> Void) throws {
    while let request = waiting.popFirst() {
      if try !trySend(request, announce) { return waiting.prepend(request) }
    }
  }

  /// There is no memory in which the chunk's item could be sent, though nothing else of the lane's is on its way.
  struct Unsendable: Error {
    let chunk: Chunk
    let index: Int
    let reason: MemoryError
  }

  /// There is no memory, or no descriptor, for what a worker is made of.
  struct Unopenable: Error {
    let key: WorkerKey
    let reason: MemoryError
  }

  private func trySend(_ request: Request, _ announce: (UInt32, Int32) throws -> Void) throws -> Bool {
    isShortOfMemory = false
    waitsForSocket = false
    switch request {
    case .open(let record, let announcement, let shared):
      guard try give(shared) else { return false }
      let header = FrameHeader.open(UInt64(record.key.value))
      let place: Place?
      do {
        place = try put(header, announcement.count, announce) { target in
          announcement.withUnsafeBytes {
            if $0.count > 0 { target.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
          }
        }
      } catch let error as MemoryError {
        throw Unopenable(key: record.key, reason: error)
      }
      guard place != nil else { return false }
      work.opens(record)
      return true
    case .chunk(let chunk, let record):
      let sent = work.runs(chunk, record)
      sent.pack()
      if try sendFrames(sent, announce) { return true }
      // From here on the rest waits, with its own place in the order.
      waiting.prepend(.rest(sent))
      return true
    case .rest(let sent): return try sendFrames(sent, announce)
    case .tearDown(let key):
      return try put(.tearDown(UInt64(key.value)), 0, announce) { _ in } != nil
    case .stop:
      guard try put(.stop, 0, announce, { _ in }) != nil else { return false }
      work.ends()
      return true
    }
  }

  /// Sends what of the chunk is not sent yet, each of a batch in a frame of its own; false if there is no room for all.
  private func sendFrames(_ sent: SentChunk, _ announce: (UInt32, Int32) throws -> Void) throws -> Bool {
    let inputs = unsafeDowncast(sent.chunk.cell, to: InputStore.self)
    defer { end.requests.handOver() }
    while !sent.isSent {
      KillPoint.parentSendsChunk.reach()
      let range = sent.nextRange
      let place: Place?
      let size: Int
      if let stride = sent.inputStride, stride * range.count <= largestInline - sent.headSize {
        size = stride * range.count
        let items = inputs.place(of: range.lowerBound, stride: stride)
        let position = try end.requests.add(sent.header(range, isPacked: true), payload: sent.headSize + size) {
          target in
          sent.writeHead(range, to: target)
          (target + sent.headSize).copyMemory(from: items, byteCount: size)
        }
        place = position.map { Place(position: $0) }
      } else {
        (place, size) = try sendEncoded(range, of: sent, announce)
      }
      guard let place else { return false }
      KillPoint.parentSentChunk.reach()
      sent.sent(at: place.position, segment: place.segment, bytes: size)
    }
    return true
  }

  private func sendEncoded(
    _ range: Range<Int>, of sent: SentChunk, _ announce: (UInt32, Int32) throws -> Void
  ) throws -> (place: Place?, size: Int) {
    let (encoded, shared) = sharing?.collecting { sent.items(range, scratch) } ?? (sent.items(range, scratch), [])
    defer { scratch.clear() }
    if !shared.isEmpty {
      guard try give(shared) else { return (nil, 0) }
      sent.names(shared)
    }
    do {
      let header = sent.header(range, isPacked: sent.inputStride != nil)
      let place = try put(header, sent.headSize + encoded.size, announce) { target in
        sent.writeHead(range, to: target)
        encoded.write(target + sent.headSize)
      }
      return (place, encoded.size)
    } catch let error as MemoryError {
      // What is on its way will give some back.
      guard work.inFlight.first === sent, sent.answered == sent.positions.count else {
        isShortOfMemory = true
        return (nil, 0)
      }
      work.forget(sent)
      throw Unsendable(chunk: sent.chunk, index: range.lowerBound, reason: error)
    }
  }

  /// Gives the worker what it does not have of the objects that are named by what is to be sent; false if that has to wait.
  private func give(_ shared: [SharedBlock]) throws -> Bool {
    guard !shared.isEmpty, let sharing else { return true }
    switch try sharing.send(shared) {
    // One that is gone does not wait for it.
    case .sent, .gone: return true
    case .full, .crowded:
      waitsForSocket = true
      return false
    }
  }

  /// Payloads above this travel in segments.
  private var largestInline: Int { lane.requestCapacity / 4 }

  /// Where a frame is, and its payload if that is elsewhere.
  private struct Place {
    var position: UInt64
    var segment: UInt32?
  }

  /// Writes a frame, its payload in place or in a segment; nil if there is no room.
  private func put(
    _ header: FrameHeader, _ size: Int, _ announce: (UInt32, Int32) throws -> Void,
    _ write: (UnsafeMutableRawPointer) -> Void
  ) throws -> Place? {
    if size <= largestInline {
      guard try end.requests.begin(header) else { return nil }
      guard let place = try end.requests.append(count: size) else {
        end.requests.abandon()
        return nil
      }
      write(place)
      return Place(position: try end.requests.commit())
    }
    var header = header
    header.frameFlags.insert(.segment)
    guard try end.requests.begin(header) else { return nil }
    guard let place = try end.requests.append(count: MemoryLayout<SegmentReference>.size) else {
      end.requests.abandon()
      return nil
    }
    let placement: Placement
    do {
      placement = try sender.place(size)
    } catch {
      end.requests.abandon()
      throw error
    }
    write(placement.buffer.baseAddress!)
    do {
      if let descriptor = placement.newDescriptor { try announce(placement.id, descriptor) }
    } catch {
      end.requests.abandon()
      sender.cancel(placement.id, isAnnounced: false)
      guard let error = error as? SystemCallError, error.isForCrowd || error.isForWant else { throw error }
      guard error.isForCrowd, let sharing else { throw MemoryError(error.call, code: error.code) }
      // They are fewer when others have read some.
      sharing.isCrowded = true
      waitsForSocket = true
      return nil
    }
    place.storeBytes(
      of: SegmentReference(id: UInt64(placement.id), length: UInt64(size)), as: SegmentReference.self)
    let position = try end.requests.commit()
    try sender.tellRetired { try end.requests.send(.retired($0)) != nil }
    return Place(position: position, segment: placement.id)
  }

  func holds(_ id: Int) -> Bool { work.sent(id) != nil || waiting.elements.contains { $0.isChunk(id) } }

  /// Takes the chunk's items from `start` on back that the worker has not begun, whole frames: from which item on, or nil
  /// if that is none. If all before them has been answered, the lane does not hold the chunk any more.
  func revoke(_ id: Int, from start: Int) throws -> Int? {
    if case .chunk(let chunk, _)? = waiting.extract(where: { $0.isChunk(id) }).first {
      return chunk.range.lowerBound
    }
    guard let sent = work.sent(id) else { return nil }
    let first = max(sent.answered, (start - sent.chunk.range.lowerBound) / sent.chunk.grain)
    var frame = sent.frames
    while frame > first, try frame > sent.positions.count || end.requests.revoke(at: sent.positions[frame - 1]) {
      frame -= 1
    }
    guard frame < sent.frames else { return nil }
    for segment in sent.takeBack(from: frame) { sender.cancel(segment, isAnnounced: true) }
    if sent.isDone { work.forget(sent) }
    return sent.chunk.range.lowerBound + sent.items(ofFrame: frame).lowerBound
  }

  /// Takes back what the worker has not begun of the chunk that it is at: all but the current item.
  ///
  /// Nothing is waited for: the word that decides it is the one by which the worker counts its items.
  package func share(_ id: Int) -> Sharing {
    guard let sent = work.inFlight.first, sent.chunk.id == id, sent.isSent, sent.answered == sent.frames - 1 else {
      return .notYet
    }
    if sent.isCancelled { return .nothing }
    switch lane.cut(chunk: sent.currentNumber, of: sent.currentCount, received: sent.currentReceived) {
    case .at(let offset):
      sent.cut(at: offset + 1)
      return .from(sent.end)
    case .nothingBehind: return .nothing
    case .notBegun, .between: return .notYet
    }
  }

  /// Notes for the worker that the rest of the chunk is not wanted. The numbers of the frames that this is about: it still has to be told.
  func cancel(_ id: Int) -> ClosedRange<UInt64>? {
    guard let frames = work.sent(id)?.cancel(), let first = frames.first, let last = frames.last else { return nil }
    for frame in frames { lane.abandon(chunk: frame) }
    return first...last
  }

  /// What the worker is doing about the chunk.
  package func inspect(_ id: Int) -> Inspection {
    guard let sent = work.inFlight.first else { return .waiting }
    guard sent.chunk.id == id else { return .behind }
    let snapshot = lane.snapshot()
    // The worker wrote all of this: it may be anything.
    switch snapshot.state {
    case .settingUp where !work.opening.isEmpty, .tearingDown where !work.tearingDown.isEmpty: return .waiting
    case _ where !isPossible(snapshot):
      // It has been overwritten, by the item that is not heard of.
      return .item(sent.chunk.range.lowerBound + sent.received, since: nil)
    case .running:
      // If it is at none of its frames, it is at the very end of the chunk before.
      guard let frame = sent.frame(numbered: snapshot.chunk), frame >= sent.answered else { return .untouched }
      let items = sent.items(ofFrame: frame)
      // A time to come would be no limit at all.
      let start = snapshot.itemStart.flatMap { $0 <= _monotonicNow() ? $0 : nil }
      return .item(
        sent.chunk.range.lowerBound + items.lowerBound + min(snapshot.completed, items.count), since: start)
    case .idle, .settingUp, .tearingDown, nil: return .untouched
    }
  }

  // MARK: Sleep

  /// Asks the worker to ring when there is something to do; false if there is already.
  func arm() throws -> Bool {
    guard try end.armResponses() else { return false }
    // A quarter of the ring: room for whatever waits.
    if !waiting.isEmpty, !isShortOfMemory, !waitsForSocket { return try end.armRequestSpace(lane.requestCapacity / 4) }
    return true
  }

  func disarm() { end.disarm() }
}

extension RemoteLane.Request {
  func isChunk(_ id: Int) -> Bool { if case .chunk(let chunk, _) = self { chunk.id == id } else { false } }
}
