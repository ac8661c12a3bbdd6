import MillraceIPC

extension RemoteLane {
  /// The next answer, if there is one.
  package func next(fetchSegments: () throws -> Void) throws -> RemoteAnswer? {
    if let answer = work.nextWhole() { return answer }
    do {
      while !work.hasWhole, !isBroken, let frame = try end.responses.next() {
        hasAnswered = true
        try take(frame, fetchSegments)
      }
    } catch {
      // What follows might be taken for something that it is not; what came before it was said.
      isBroken = true
      problem = error
    }
    if let answer = work.next() { return answer }
    if let error = problem {
      problem = nil
      throw error
    }
    return nil
  }

  private func take(_ frame: Frame, _ fetchSegments: () throws -> Void) throws {
    let (payload, segment, shortage) = try resolve(frame, fetchSegments)
    defer { if let segment { receiver.release(segment) } }
    guard frame.header.isKind(.retired) else { return try work.take(frame.header, payload, shortage) }
    // Else there would be no end to such frames.
    guard receiver.contains(frame.header.segment) else { throw WireProblem("the end of a segment that is not there") }
    try receiver.drop(frame.header.segment)
  }

  /// What a frame brings; the segment that it is in; and if this program has no memory for it, that.
  private func resolve(
    _ frame: Frame, _ fetchSegments: () throws -> Void
  ) throws -> (UnsafeRawBufferPointer, UInt32?, SystemError?) {
    guard frame.header.frameFlags.contains(.segment) else { return (frame.payload, nil, nil) }
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
  package func salvage(fetchSegments: () throws -> Void) -> (answers: [RemoteAnswer], running: Int?) {
    var answers: [RemoteAnswer] = []
    var isIntact = true
    do {
      while let answer = try next(fetchSegments: fetchSegments) { answers.append(answer) }
    } catch {
      // What cannot be read was not said: its items are run again.
      isIntact = false
    }
    let snapshot = lane.snapshot()
    guard let sent = work.inFlight.first else { return (answers, nil) }
    guard isIntact, isPossible(snapshot) else {
      // Something has written over its memory, and has to answer for it: nobody is to run it for ever.
      return (answers, suspect?.chunk.id)
    }
    guard snapshot.state == .running, snapshot.chunk != work.lastEnded else { return (answers, nil) }
    guard sent.currentNumber == snapshot.chunk else { return (answers, suspect?.chunk.id) }
    let done = min(snapshot.completed, sent.items(ofFrame: sent.answered).count)
    let count = done - sent.currentReceived
    if count > 0 {
      if let frame = try? end.responses.uncommitted(), frame.header.isKind(.outputs),
        frame.header.chunk == snapshot.chunk
      {
        let isPacked = frame.header.frameFlags.contains(.packed)
        try? work.takeOutputs(frame.payload, isPacked: isPacked, count: count, sent)
      } else if sent.outputStride == 0 {
        // Outputs without a size lie nowhere: that their items are done is all that is to be known of them.
        try? work.takeOutputs(UnsafeRawBufferPointer(start: nil, count: 0), isPacked: true, count: count, sent)
      }
      while let answer = work.next() { answers.append(answer) }
    }
    guard sent.received < sent.currentEnd, sent.currentReceived <= done else { return (answers, nil) }
    return (answers, sent.chunk.id)
  }

  /// The chunk that is to blame where what it left cannot be: the one that its marker shows, or else the first.
  var suspect: SentChunk? {
    let marker = lane.snapshot()
    let shown = work.inFlight.elements.first { marker.state == .running && $0.frame(numbered: marker.chunk) != nil }
    let suspect = shown ?? work.inFlight.first
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
    case .settingUp: !work.opening.isEmpty
    case .tearingDown: !work.tearingDown.isEmpty || work.isToldToStop
    // The end of the first may be in the ring, and the next begun.
    case .running:
      marker.chunk == work.lastEnded || work.inFlight.elements.contains { $0.frame(numbered: marker.chunk) != nil }
    case nil: false
    }
  }
}
