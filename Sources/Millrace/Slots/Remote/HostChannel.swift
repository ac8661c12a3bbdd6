package import MillraceIPC

/// What carries requests to a worker's process and its answers back, as the process sees it.
///
/// A transport has to send answers, and to say how worker and outputs are made. All else has a default, for those that leave
/// nothing behind for the pool to look at when the process has died.
package protocol HostChannel: AnyObject {
  /// Sends an answer, of whatever size; waits until there is room.
  func send(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws

  /// The worker that the pool speaks of.
  func makeWorker(_ announcement: UnsafeRawBufferPointer) throws -> any HostedWorker

  /// What puts outputs into answers. By default, each goes as soon as it is made.
  func makeOutputs<Output>(_ coding: PayloadCoding<Output>, _ host: WorkerHost) -> OutputWriter<Output>

  /// The next request, if it is there already, and a chunk of the same kind as the one that has just been answered. Small chunks
  /// are run in one go then.
  func nextChunk(like last: ChunkRequest, _ host: WorkerHost, _ isFit: (ChunkRequest) -> Bool) throws -> ChunkRequest?

  /// The worker is at something else now, for whoever looks at what is left of the process.
  func enter(_ state: LaneState)

  /// A chunk begins: none of its items is done.
  func begins(_ request: ChunkRequest, _ host: WorkerHost)

  /// An item, or something else of the user's, is about to begin; whether something was written to standard error before that.
  func noteErrors() -> Bool

  /// A set-up has come back: it may have closed what binds the process to the pool.
  func endIfCutOff()

  /// Between two items, of which the first threw: the next ones may fare no better.
  func endIfExhausted()
}

extension HostChannel {
  package func makeWorker(_ announcement: UnsafeRawBufferPointer) throws -> any HostedWorker {
    try announcedWorker(announcement)
  }

  package func makeOutputs<Output>(_ coding: PayloadCoding<Output>, _ host: WorkerHost) -> OutputWriter<Output> {
    OutputWriter(coding, host)
  }

  package func nextChunk(
    like last: ChunkRequest, _ host: WorkerHost, _ isFit: (ChunkRequest) -> Bool
  ) throws -> ChunkRequest? { nil }

  package func enter(_ state: LaneState) {}

  package func begins(_ request: ChunkRequest, _ host: WorkerHost) { host.resetProgress(for: request) }

  package func noteErrors() -> Bool { false }
  package func endIfCutOff() {}
  package func endIfExhausted() {}

  package func send(_ header: FrameHeader) throws { try send(header, UnsafeRawBufferPointer(start: nil, count: 0)) }

  func sendError(_ error: any Error, _ header: FrameHeader) throws {
    var writer = ByteWriter()
    try WireError(error.forUsers).encode(into: &writer)
    try send(header, writer.bytes)
  }
}
