import MillraceIPC
import Synchronization

/// Puts the outputs of chunks, one after the other, into answers: each as soon as it is made, so that the pool has all that was
/// done if this process dies the next moment.
///
/// Transports that can do better have a subclass of it.
package class OutputWriter<Output> {
  /// Where the next outputs go.
  struct Room {
    let range: Range<Int>
    let place: UnsafeMutablePointer<Output>
    let sink: ((Int, Output) throws -> Void)?
  }

  final let coding: PayloadCoding<Output>
  final let host: WorkerHost
  // Of the worker's thread alone, which is in them once at a time: small chunks pay for each check.
  @exclusivity(unchecked) final private(set) var chunk: UInt64 = 0
  /// How many items the chunk has.
  @exclusivity(unchecked) final private var count = 0
  /// When it began.
  @exclusivity(unchecked) final private var begun: UInt64 = 0
  /// When the last one ended.
  @exclusivity(unchecked) final private(set) var ended: UInt64 = 0
  @exclusivity(unchecked) final private var isDone = false
  /// For outputs that go on to a sink.
  final let nowhere: UnsafeMutablePointer<Output>
  @exclusivity(unchecked) final var scratch = ByteWriter()

  init(_ coding: PayloadCoding<Output>, _ host: WorkerHost) {
    self.coding = coding
    self.host = host
    nowhere = .allocate(capacity: 1)
  }

  deinit { nowhere.deallocate() }

  /// Another chunk begins, now or at the time that is given.
  final func begin(_ request: ChunkRequest, at time: UInt64? = nil) {
    chunk = request.id
    count = request.count
    isDone = false
    begun = time ?? _monotonicNow()
  }

  // MARK: For a transport to do better

  /// Whether the end of the outputs that there is room for now says that the chunk is over.
  var endsWithItsRoom: Bool { false }

  /// Room for the outputs of some of the items, from the first one on.
  func makeRoom(for items: Range<Int>) throws -> Room { Room(range: items, place: nowhere, sink: take) }

  /// Room for as many of the items as can lie in an answer; only where `endsWithItsRoom`.
  func openPacked(_ items: Range<Int>) throws -> (place: UnsafeMutableRawPointer, count: Int) {
    preconditionFailure("no outputs lie in the answers of this transport")
  }

  /// The items before `end` have their outputs.
  func closeRoom(upTo end: Int) throws {}

  /// The items before `end` have their outputs, and are the last of their chunk, or the item there has failed. Whatever was kept
  /// back goes.
  func flush(upTo end: Int? = nil) throws {}

  /// Takes an output that does not lie in its answer.
  func take(_ offset: Int, _ output: Output) throws {
    try KillPoint.workerEncodesOutput.reachThrowing()
    scratch.removeAll()
    scratch.append(UInt64(0))
    try coding.encode(output, into: &scratch)
    scratch.replace(at: 0, with: UInt64(scratch.count - 8))
    Records.pad(&scratch)
    try host.channel.send(header([], outputs: 1, upTo: offset + 1), scratch.bytes)
    scratch.trim(above: 1 << 20)
  }

  // MARK: What is said whatever the transport

  /// The head of a frame of outputs, which also says that the chunk is over if these are the last.
  final func header(_ flags: FrameFlags, outputs: Int, upTo end: Int) -> FrameHeader {
    var header = FrameHeader.outputs(outputs, of: chunk, flags)
    if end == count, outputs > 0, !host.measuresMemory {
      isDone = true
      ended = _monotonicNow()
      header.makeFinal(nanoseconds: ended &- begun, memory: host.samplesMemory ? Machine.residentBytes : nil)
      host.watch.ended(items: count, elapsed: ended &- begun)
    }
    return header
  }

  /// Reports the item at `offset`, the first without an outcome; false if nobody wants to know, or nothing is behind it any more.
  final func itemFailed(_ error: any Error, isUndecodable: Bool, at offset: Int) throws -> Bool {
    try flush()
    scratch.removeAll()
    try WireError(error.forUsers).encode(into: &scratch)
    try host.channel.send(.itemFailed(offset, of: chunk, isUndecodable ? .undecodable : []), scratch.bytes)
    let done = LaneLayout.tag(chunk) | UInt64(truncatingIfNeeded: offset)
    let (isDone, found) = host.progress.pointee.compareExchange(
      expected: done, desired: done &+ 1, ordering: .acquiringAndReleasing)
    if !isDone, found == done | LaneLayout.last {
      // It counts, as the chunk's last.
      _ = host.progress.pointee.compareExchange(
        expected: found, desired: found &+ 1, ordering: .acquiringAndReleasing)
    }
    return isDone
  }

  /// The chunk is over, after so many items.
  final func finish(items: Int) throws {
    try flush(upTo: items)
    if isDone { return }
    ended = _monotonicNow()
    host.watch.ended(items: items, elapsed: ended &- begun)
    let header = FrameHeader.chunkDone(chunk, items: items, nanoseconds: ended &- begun)
    guard host.measuresMemory || host.samplesMemory else { return try host.channel.send(header) }
    var memory = UInt64(Machine.residentBytes)
    try withUnsafeBytes(of: &memory) { try host.channel.send(header, $0) }
  }
}
