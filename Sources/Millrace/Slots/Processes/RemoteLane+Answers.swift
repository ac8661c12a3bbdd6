import CMillrace
import MillraceIPC

/// Outputs of consecutive items of one chunk, or of several of a batch, on their way to the dispatcher.
struct OutputBatch {
  /// How large the room for them may be.
  static let bytes = 16_384
  /// From this size on, what a frame brings is worth keeping memory for.
  static let large = 16_384

  let sent: SentChunk
  /// The items that there is room for.
  let room: Range<Int>
  let outputs: OutputStore
  /// The item behind the last that is here.
  var next: Int
  var broken: [(index: Int, error: any Error)] = []

  init(_ sent: SentChunk, _ remote: any RemoteWorker, at index: Int, room count: Int) {
    self.sent = sent
    room = index..<index + count
    outputs = remote.makeOutputs(first: index, count: count)
    next = index
  }

  /// Whether it has room for so many outputs of the chunk from this index on.
  func takes(_ count: Int, at index: Int, of sent: SentChunk) -> Bool {
    self.sent === sent && next == index && index + count <= room.upperBound
  }

  var answer: RemoteLane.Answer {
    if broken.isEmpty { return .outputs(sent, upTo: next, outputs) }
    return .mixed(sent, room.lowerBound..<next, outputs, broken)
  }
}

extension RemoteLane {
  /// The next answer, if there is one.
  package func next(fetchSegments: () throws -> Void) throws -> Answer? {
    if let answer = behind.popFirst() { return answer }
    do {
      while behind.isEmpty, !isBroken, let frame = try end.responses.next() {
        hasAnswered = true
        guard let answer = try answer(frame, count: Int(frame.header.a), fetchSegments) else { continue }
        closeBatch()
        behind.append(answer)
      }
    } catch {
      // What follows might be taken for something that it is not; what came before it was said.
      isBroken = true
      problem = error
    }
    // Behind what is there, more of the open batch may come.
    if behind.isEmpty { closeBatch() }
    if let answer = behind.popFirst() { return answer }
    if let error = problem {
      problem = nil
      throw error
    }
    return nil
  }

  private func closeBatch() {
    // One that was opened for outputs that cannot be read has none.
    if let open, open.next > open.room.lowerBound { behind.append(open.answer) }
    open = nil
  }

  /// What a frame says; nil if that is for the lane alone, or outputs, which go to the open batch.
  private func answer(_ frame: Frame, count: Int, _ fetchSegments: () throws -> Void) throws -> Answer? {
    let (payload, segment, shortage) = try resolve(frame, fetchSegments)
    defer { if let segment { receiver.release(segment) } }
    let key = WorkerKey(Int(truncatingIfNeeded: frame.header.b))
    let flags = frame.header.flags
    switch frame.header.kind {
    case FrameKind.outputs:
      let sent = try first(frame.header.b)
      let isFinal = flags & FrameFlags.final != 0
      // Before anything is noted: what is refused was not said.
      guard !isFinal || sent.received + count == sent.currentEnd else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      try takeOutputs(payload, isPacked: flags & FrameFlags.packed != 0, count: count, sent, shortage)
      return isFinal ? finish(sent, items: sent.currentCount, elapsed: frame.header.c, memory: nil) : nil
    case FrameKind.itemFailed:
      let sent = try first(frame.header.b)
      guard sent.received < sent.currentEnd, frame.header.c == UInt64(sent.currentReceived) else {
        throw WireProblem("a failure of an item that is not the next")
      }
      let error = try shortage ?? error(payload)
      let index = sent.chunk.range.lowerBound + sent.received
      sent.receive(1)
      let cause =
        shortage != nil || flags & FrameFlags.undecodable != 0 ? ItemFailure.Cause.undecodable(error) : .threw(error)
      return .itemFailed(sent, index: index, cause)
    case FrameKind.chunkDone:
      let sent = try first(frame.header.b)
      guard sent.received == sent.currentEnd || sent.isCancelled else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      let memory = payload.count >= 8 ? Int(clamping: payload.loadUnaligned(as: UInt64.self)) : nil
      return finish(sent, items: count, elapsed: frame.header.c, memory: memory)
    case FrameKind.opened, FrameKind.openFailed:
      guard opening.remove(key) != nil else { throw WireProblem("a set-up that nobody asked for") }
      return frame.header.kind == FrameKind.opened ? .opened(key) : .openFailed(key, try shortage ?? error(payload))
    case FrameKind.stopped:
      guard isToldToStop, inFlight.isEmpty, !hasStopped else { throw WireProblem("an end that nobody asked for") }
      hasStopped = true
      return .stopped
    case FrameKind.tornDown:
      guard let record = tearingDown.removeValue(forKey: key) else { throw WireProblem("an exit of no worker") }
      if let shortage { return .tornDown(key, .failure(shortage)) }
      if flags & FrameFlags.failed != 0 { return .tornDown(key, .failure(try error(payload))) }
      if flags & FrameFlags.empty != 0 { return .tornDown(key, nil) }
      return .tornDown(key, Result { try record.remote.decodeExit(payload) }.mapError(\.forUsers))
    case FrameKind.retired:
      // Else there would be no end to such frames.
      guard receiver.contains(frame.header.a) else { throw WireProblem("the end of a segment that is not there") }
      try receiver.drop(frame.header.a)
      return nil
    default: throw WireProblem("an answer of kind \(frame.header.kind)")
    }
  }

  /// The frame is over; what that says, if it was the chunk's last.
  private func finish(_ sent: SentChunk, items: Int, elapsed: UInt64, memory: Int?) -> Answer? {
    lastEnded = sent.currentNumber
    sent.finishFrame(items: items, elapsed: elapsed)
    guard sent.isDone else { return nil }
    _ = inFlight.popFirst()
    return .done(sent, items: sent.run, elapsed: sent.elapsed, memory: memory)
  }

  private func first(_ number: UInt64) throws -> SentChunk {
    guard let sent = inFlight.first, sent.currentNumber == number, sent.answered < sent.positions.count else {
      throw WireProblem("an answer about chunk \(number), which is not the one that runs")
    }
    return sent
  }

  private func takeOutputs(
    _ payload: UnsafeRawBufferPointer, isPacked: Bool, count: Int, _ sent: SentChunk, _ shortage: SystemError?
  ) throws {
    guard count > 0, count <= sent.currentEnd - sent.received else {
      throw WireProblem("\(count) outputs where \(sent.currentEnd - sent.received) are missing")
    }
    let index = sent.chunk.range.lowerBound + sent.received
    if open?.takes(count, at: index, of: sent) == false { closeBatch() }
    if open == nil {
      let remote = sent.record.remote
      let room = max(count, min(sent.end - index, OutputBatch.bytes / max(1, remote.outputSize)))
      open = OutputBatch(sent, remote, at: index, room: room)
    }
    if let shortage {
      open!.broken += (index..<index + count).map { ($0, shortage) }
    } else if isPacked {
      try copyOutputs(payload, count: count, at: index, of: sent)
    } else {
      // Values that are copied and freed all the time: fresh pages would cost many times the copies.
      if keepsFreedMemory, payload.count >= OutputBatch.large { millrace_memory_keep() }
      let broken = try sent.record.remote.decode(payload, count: count, at: index, into: open!.outputs)
      if !broken.isEmpty { open!.broken += broken }
    }
    open!.next += count
    sent.receive(count)
  }

  /// Takes in outputs that are sent as they lie in memory.
  private func copyOutputs(_ payload: UnsafeRawBufferPointer, count: Int, at index: Int, of sent: SentChunk) throws {
    guard let stride = sent.outputStride else { throw WireProblem("packed outputs of a type without a stride") }
    guard payload.count >= stride * count else {
      throw WireProblem("\(payload.count) bytes for \(count) outputs of \(stride)")
    }
    let outputs = open!.outputs
    let place = index - outputs.base
    if let source = payload.baseAddress {
      (outputs.start + place * stride).copyMemory(from: source, byteCount: stride * count)
    }
    outputs.settle(place..<place + count)
  }

  private func error(_ payload: UnsafeRawBufferPointer) throws -> any Error {
    try WireError.decode(from: payload).error(RemoteError.self)
  }

  /// What a frame brings; the segment that it is in; and if this program has no memory for it, that.
  private func resolve(
    _ frame: Frame, _ fetchSegments: () throws -> Void
  ) throws -> (UnsafeRawBufferPointer, UInt32?, SystemError?) {
    guard frame.header.flags & FrameFlags.segment != 0 else { return (frame.payload, nil, nil) }
    guard frame.payload.count >= MemoryLayout<SegmentReference>.size else { throw WireProblem("no segment") }
    let reference = frame.payload.loadUnaligned(as: SegmentReference.self)
    guard let id = UInt32(exactly: reference.id) else { throw WireProblem("segment \(reference.id)") }
    // Its descriptor was sent before the frame was.
    if !receiver.contains(id) { try fetchSegments() }
    let length = Int(clamping: reference.length)
    do {
      let payload = try receiver.resolve(id, length: length)
      // What is made of it takes as much again, and who allocates in vain is ended.
      return (payload, id, MemoryHere.shortage(for: length))
    } catch is MemoryError {
      return (UnsafeRawBufferPointer(start: nil, count: 0), id, MemoryHere.shortage(of: length))
    }
  }

  package func adopt(_ id: UInt32, _ descriptor: Int32) throws { try receiver.adopt(id, descriptor: descriptor) }

  package func knowsSegment(_ id: UInt32) -> Bool { receiver.contains(id) }

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
    guard sent.currentNumber == snapshot.chunk else { return (answers, suspect?.chunk.id) }
    let done = min(snapshot.completed, sent.items(ofFrame: sent.answered).count)
    let count = done - sent.currentReceived
    if count > 0, let frame = try? end.responses.uncommitted(), frame.header.kind == FrameKind.outputs,
      frame.header.b == snapshot.chunk
    {
      let isPacked = frame.header.flags & FrameFlags.packed != 0
      try? takeOutputs(frame.payload, isPacked: isPacked, count: count, sent, nil)
      closeBatch()
      answers += behind.elements
      behind.removeAll()
    }
    guard sent.received < sent.currentEnd, sent.currentReceived <= done else { return (answers, nil) }
    return (answers, sent.chunk.id)
  }

  /// The chunk that is to blame where what it left cannot be: the one that its marker shows, or else the first.
  var suspect: SentChunk? {
    let marker = lane.snapshot()
    let shown = inFlight.elements.first { marker.state == .running && $0.frame(numbered: marker.chunk) != nil }
    let suspect = shown ?? inFlight.first
    return suspect.flatMap { $0.hasMore ? $0 : nil }
  }

  /// The item that the marker shows, where what was said of items before it in its batch is lost, for it cannot be read.
  package func begunBehindLost(_ sent: SentChunk) -> Int? {
    let marker = lane.snapshot()
    guard marker.state == .running, let frame = sent.frame(numbered: marker.chunk), frame > sent.answered else {
      return nil
    }
    return sent.chunk.range.lowerBound + sent.items(ofFrame: frame).lowerBound
  }

  /// Whether a worker in its right mind may have left its marker so.
  func isPossible(_ marker: LaneSnapshot) -> Bool {
    switch marker.state {
    case .idle: marker.heartbeat > 0 || !hasAnswered
    case .settingUp: !opening.isEmpty
    case .tearingDown: !tearingDown.isEmpty || isToldToStop
    // The end of the first may be in the ring, and the next begun.
    case .running: marker.chunk == lastEnded || inFlight.elements.contains { $0.frame(numbered: marker.chunk) != nil }
    case nil: false
    }
  }
}
