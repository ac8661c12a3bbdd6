package import MillraceIPC

/// The pool's side of a conversation with a worker elsewhere: what it was asked and has not answered, and what its answers mean.
///
/// Whatever carries them, these are the same frames. What comes was written by a process that may be about to crash: it is taken
/// for what it says, if that can be, or refused.
package struct SentWork {
  /// The chunks that it has, in the order in which it runs them.
  package private(set) var inFlight = FIFO<SentChunk>()
  /// Of the next chunk's first frame.
  private var nextNumber: UInt64 = 1
  /// The workers that it was told to open.
  package private(set) var records: [WorkerKey: WorkerRecord] = [:]
  /// Of those, the ones that have not answered, and which of its set-ups that is.
  package private(set) var opening: [WorkerKey: UInt64] = [:]
  private var setUps: UInt64 = 0
  package private(set) var tearingDown: [WorkerKey: WorkerRecord] = [:]
  package private(set) var isToldToStop = false
  package private(set) var hasStopped = false
  private var hasBegun = false
  private var memoryClock = MemoryClock()
  /// Whether the program keeps the memory of large outputs, once one has come.
  package var keepsFreedMemory = false
  /// The frame that ended last.
  private(set) var lastEnded: UInt64?
  /// Outputs that were taken in and not handed on: more of the same chunks may be there.
  private var open: OutputBatch?
  /// What was said behind them.
  private var answers = FIFO<RemoteAnswer>()

  package init() {}

  // MARK: What it is asked

  /// It is going to be told of a worker, with chunks behind that.
  package mutating func willOpen(_ record: WorkerRecord) { records[record.key] = record }

  package mutating func opens(_ record: WorkerRecord) {
    setUps += 1
    opening[record.key] = setUps
  }

  /// By which number a set-up is given up; nil if there is none to be.
  package func numberOfSetUp(_ key: WorkerKey) -> UInt64? { opening[key].map(HostTasks.Number.setUp) }

  package mutating func tearsDown(_ record: WorkerRecord) {
    records[record.key] = nil
    tearingDown[record.key] = record
  }

  package mutating func runs(_ chunk: Chunk, _ record: WorkerRecord) -> SentChunk {
    let sent = SentChunk(chunk, record, number: nextNumber, samplesMemory: memoryClock.isDue(record.memoryWatch))
    nextNumber += UInt64(chunk.count)
    inFlight.append(sent)
    return sent
  }

  package mutating func ends() { isToldToStop = true }

  /// It does not get the chunk after all, or not any more.
  mutating func forget(_ sent: SentChunk) { _ = inFlight.extract { $0 === sent } }

  /// Whether it has something to answer.
  var isOwing: Bool { inFlight.first != nil || !opening.isEmpty || !tearingDown.isEmpty }

  package func sent(_ id: Int) -> SentChunk? { inFlight.elements.first { $0.chunk.id == id } }

  // MARK: What it answers

  /// The next answer that is whole, if there is one.
  mutating func nextWhole() -> RemoteAnswer? { answers.popFirst() }

  var hasWhole: Bool { !answers.isEmpty }

  /// The next answer, when nothing more is to be taken in now.
  package mutating func next() -> RemoteAnswer? {
    // Behind what is there, more of the open batch may come.
    if answers.isEmpty { closeBatch() }
    return answers.popFirst()
  }

  /// Takes a frame in. Throws if it says what cannot be: nothing of it has been said then, and nothing behind it can be trusted.
  ///
  /// `shortage`: this program has no memory for what it brings. That is not the worker's fault, and fails what it is about.
  package mutating func take(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer, _ shortage: SystemError? = nil
  ) throws {
    guard let answer = try meaning(of: header, payload, shortage) else { return }
    closeBatch()
    answers.append(answer)
  }

  private mutating func closeBatch() {
    // One that was opened for outputs that cannot be read has none.
    if let open, open.next > open.room.lowerBound { answers.append(open.answer) }
    open = nil
  }

  /// What a frame says; nil if that is outputs, which go to the open batch.
  private mutating func meaning(
    of header: FrameHeader, _ payload: UnsafeRawBufferPointer, _ shortage: SystemError?
  ) throws -> RemoteAnswer? {
    let count = header.count
    let key = WorkerKey(Int(truncatingIfNeeded: header.worker))
    let flags = header.frameFlags
    switch header.frameKind {
    case .outputs:
      let sent = try first(header.chunk)
      let isFinal = flags.contains(.final)
      // Before anything is noted: what is refused was not said.
      guard !isFinal || sent.received + count == sent.currentEnd else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      try takeOutputs(payload, isPacked: flags.contains(.packed), count: count, sent, shortage)
      guard isFinal else { return nil }
      return finish(sent, items: sent.currentCount, elapsed: header.nanoseconds, memory: header.memory)
    case .itemFailed:
      let sent = try first(header.chunk)
      guard sent.received < sent.currentEnd, header.offset == UInt64(sent.currentReceived) else {
        throw WireProblem("a failure of an item that is not the next")
      }
      let error = try shortage ?? error(payload)
      let index = sent.chunk.range.lowerBound + sent.received
      sent.receive(1, bytes: payload.count)
      if flags.contains(.relayed), let failure = error as? ItemFailure {
        return .failedThere(sent, index: index, failure)
      }
      let cause =
        shortage != nil || flags.contains(.undecodable) ? ItemFailure.Cause.undecodable(error) : .threw(error)
      return .itemFailed(sent, index: index, cause)
    case .chunkDone:
      let sent = try first(header.chunk)
      guard sent.received == sent.currentEnd || sent.isCancelled else {
        throw WireProblem("the end of a chunk that lacks outcomes")
      }
      let memory = payload.count >= 8 ? Int(clamping: payload.loadUnaligned(as: UInt64.self)) : nil
      return finish(sent, items: count, elapsed: header.nanoseconds, memory: memory)
    case .opened, .openFailed:
      guard opening.removeValue(forKey: key) != nil else { throw WireProblem("a set-up that nobody asked for") }
      return header.isKind(.opened) ? .opened(key) : .openFailed(key, try shortage ?? error(payload))
    case .stopped:
      guard isToldToStop, inFlight.isEmpty, !hasStopped else { throw WireProblem("an end that nobody asked for") }
      hasStopped = true
      return .stopped
    case .begun:
      // Else there would be no end to such frames.
      guard !hasBegun else { throw WireProblem("a beginning after the first") }
      hasBegun = true
      return nil
    case .tornDown:
      guard let record = tearingDown.removeValue(forKey: key) else { throw WireProblem("an exit of no worker") }
      if let shortage { return .tornDown(key, .failure(shortage)) }
      if flags.contains(.failed) { return .tornDown(key, .failure(try error(payload))) }
      if flags.contains(.empty) { return .tornDown(key, nil) }
      return .tornDown(key, Result { try record.remote.decodeExit(payload) }.mapError(\.forUsers))
    default: throw WireProblem("an answer of kind \(header.kind)")
    }
  }

  /// The frame is over; what that says, if it was the chunk's last.
  private mutating func finish(_ sent: SentChunk, items: Int, elapsed: UInt64, memory: Int?) -> RemoteAnswer? {
    lastEnded = sent.currentNumber
    sent.finishFrame(items: items, elapsed: elapsed)
    guard sent.isDone else { return nil }
    _ = inFlight.popFirst()
    var outputs: (any AnyObject & Sendable)?
    if let open, open.isEnd(of: sent) {
      outputs = open.outputs
      self.open = nil
    }
    return .done(sent, outputs: outputs, items: sent.run, elapsed: sent.elapsed, memory: memory)
  }

  private func first(_ number: UInt64) throws -> SentChunk {
    guard let sent = inFlight.first, sent.currentNumber == number, sent.answered < sent.positions.count else {
      throw WireProblem("an answer about chunk \(number), which is not the one that runs")
    }
    return sent
  }

  mutating func takeOutputs(
    _ payload: UnsafeRawBufferPointer, isPacked: Bool, count: Int, _ sent: SentChunk, _ shortage: SystemError? = nil
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
      try open!.copy(payload, count: count, at: index)
    } else {
      try open!.decode(payload, count: count, at: index, keepsMemory: keepsFreedMemory)
    }
    open!.next += count
    sent.receive(count, bytes: payload.count)
  }

  private func error(_ payload: UnsafeRawBufferPointer) throws -> any Error {
    try WireError.decode(from: payload).error(RemoteError.self)
  }
}
