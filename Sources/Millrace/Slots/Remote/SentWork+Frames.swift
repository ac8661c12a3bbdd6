import MillraceIPC

/// What the worker is asked, as whole frames: for transports that copy them. Each is noted as sent.
extension SentWork {
  package mutating func open(_ record: WorkerRecord, announcement: [UInt8] = []) -> RemoteFrame {
    willOpen(record)
    opens(record)
    return RemoteFrame(.open(UInt64(record.key.value)), announcement)
  }

  /// Empty, if the worker is not told of there. Items are encoded here, and what goes around them is made, by their own code: with no lock held.
  package mutating func run(_ chunk: Chunk) -> [RemoteFrame] {
    guard let record = records[chunk.worker] else { return [] }
    let sent = runs(chunk, record)
    sent.pack()
    let scratch = EncodingScratch()
    var frames: [RemoteFrame] = []
    while !sent.isSent {
      let range = sent.nextRange
      let frame = RemoteFrame(
        sent.header(range, isPacked: sent.inputStride != nil), sent.payload(range, scratch))
      sent.sent(bytes: frame.payload.count)
      frames.append(frame)
    }
    return frames
  }

  /// Nil, if the worker is not there.
  package mutating func tearDown(_ key: WorkerKey) -> RemoteFrame? {
    guard let record = records[key] else { return nil }
    tearsDown(record)
    return RemoteFrame(.tearDown(UInt64(key.value)))
  }

  /// Nil, if it was told before.
  package mutating func stop() -> RemoteFrame? {
    guard !isToldToStop else { return nil }
    ends()
    return RemoteFrame(.stop)
  }

  /// The rest of the chunk is not wanted.
  package func cancel(_ chunk: Int) -> [RemoteFrame] {
    guard let sent = sent(chunk) else { return [] }
    return sent.cancel().map { RemoteFrame(.cancel($0)) }
  }

  /// Nobody wants the worker to be set up. Nil, if that is not under way.
  package func cancelSetUp(_ key: WorkerKey) -> RemoteFrame? { numberOfSetUp(key).map { RemoteFrame(.cancel($0)) } }

  /// What the worker is doing about the chunk, as far as it has said. `since`: when it last said something, or was asked.
  package func inspect(_ chunk: Int, since: UInt64) -> Inspection {
    guard let first = inFlight.first else { return .waiting }
    guard first.chunk.id == chunk else { return .behind }
    return .item(first.chunk.range.lowerBound + first.received, since: since)
  }

  /// Takes an answer in; what is whole with it.
  package mutating func answers(with frame: RemoteFrame) throws -> [RemoteAnswer] { try answers(with: [frame]) }

  /// Takes in what has come together, so that the last outputs of a chunk are told with its end.
  package mutating func answers(with frames: [RemoteFrame]) throws -> [RemoteAnswer] {
    for frame in frames { try frame.payload.withUnsafeBytes { try take(frame.header, $0) } }
    var answers: [RemoteAnswer] = []
    while let answer = next() { answers.append(answer) }
    return answers
  }

  /// The worker's death. The item that was running is the first of those that it had which has no outcome.
  ///
  /// - Parameters:
  ///   - cause: why it died by itself; nil, if the pool has ended it.
  ///   - host: is asked whether that item may be tried again: never with a lock held.
  package func death(_ cause: ItemFailure.Cause?, slot: Int, of host: any SlotHost) -> Death {
    guard let sent = inFlight.first, sent.hasMore else { return Death(running: nil, cause: cause) }
    let index = sent.chunk.range.lowerBound + sent.received
    let retryable = host.isRetryable(sent.chunk, index, slot, cause)
    return Death(running: sent.chunk.id, cause: cause, retryable: retryable)
  }
}
