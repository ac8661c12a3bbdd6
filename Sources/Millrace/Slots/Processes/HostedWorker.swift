import MillraceIPC

/// A worker's instance in a worker process, without its type.
package protocol HostedWorker: AnyObject {
  func setUp(_ context: WorkerContext) async throws
  func run(_ request: ChunkRequest, on lane: HostLane) async throws
  /// The encoded exit value; nil if it had not been set up.
  func tearDown() async throws -> [UInt8]?
}

/// A chunk as it came in, valid until the next request is read.
package struct ChunkRequest {
  let id: UInt64
  let count: Int
  let isPacked: Bool
  let isTimed: Bool
  let head: ChunkHead
  let items: UnsafeRawBufferPointer
}

package final class TypedHostedWorker<W: Worker>: HostedWorker {
  private let worker: W
  private var state: W.State?
  // Looked up once: that takes longer than a small chunk does.
  private let input: Result<PayloadCoding<W.Input>, any Error>
  private let output: Result<PayloadCoding<W.Output>, any Error>

  init(_ worker: W) {
    self.worker = worker
    input = Result { try Payload.coding(for: W.Input.self) }
    output = Result { try Payload.coding(for: W.Output.self) }
  }

  /// The worker that an announcement describes.
  static func make(_ configuration: UnsafeRawBufferPointer) throws -> any HostedWorker {
    TypedHostedWorker(try decodedWorker(W.self, configuration))
  }

  package func setUp(_ context: WorkerContext) async throws { state = try await worker.setUp(context) }

  package func tearDown() async throws -> [UInt8]? {
    guard let state else { return nil }
    self.state = nil
    let exit = try await worker.tearDown(state)
    try KillPoint.workerEncodesExit.reachThrowing()
    var writer = ByteWriter()
    try Payload.coding(for: W.Exit.self).encode(exit, into: &writer)
    return Array(writer.bytes)
  }

  package func run(_ request: ChunkRequest, on lane: HostLane) async throws {
    let (input, output) = try (input.get(), output.get())
    let outputs = OutputWriter(output, chunk: request.id, count: request.count, lane: lane)
    // Runs write to its memory.
    defer { withExtendedLifetime(outputs) {} }
    let isAligned =
      Int(bitPattern: request.items.baseAddress) % MemoryLayout<W.Input>.alignment == 0 || request.items.isEmpty
    if request.isPacked, isAligned {
      // The items are run where they lie in the ring.
      let place = UnsafeMutablePointer<W.Input>.allocate(capacity: request.items.isEmpty ? request.count : 0)
      defer { place.deallocate() }
      let items = request.items.baseAddress?.assumingMemoryBound(to: W.Input.self) ?? UnsafePointer(place)
      _ = try await run(0..<request.count, of: items, request, outputs, lane)
    } else {
      try await runOneByOne(request, input, outputs, lane)
    }
    KillPoint.workerFinishesChunk.reach()
    try outputs.finish(items: lane.completedItems)
  }

  /// Decodes each item just before it runs, so that the marker blames the right one for what its decoding does.
  private func runOneByOne(
    _ request: ChunkRequest, _ input: PayloadCoding<W.Input>, _ outputs: OutputWriter<W.Output>, _ lane: HostLane
  ) async throws {
    var rest = request.items
    let place = UnsafeMutablePointer<W.Input>.allocate(capacity: 1)
    defer { place.deallocate() }
    for offset in 0..<request.count {
      do {
        if request.isPacked {
          let stride = MemoryLayout<W.Input>.stride
          let bytes = UnsafeRawBufferPointer(rebasing: rest[(offset * stride)..<((offset + 1) * stride)])
          try KillPoint.workerDecodesItem.reachThrowing()
          try input.decode(from: bytes, into: place)
        } else {
          let record = try Records.next(&rest)
          if record.isPoison {
            throw RemoteError(typeName: "EncodingError", message: String(decoding: record.bytes, as: UTF8.self))
          }
          try KillPoint.workerDecodesItem.reachThrowing()
          try input.decode(from: record.bytes, into: place)
        }
      } catch let problem as WireProblem {
        throw problem
      } catch {
        guard try outputs.itemFailed(error, isUndecodable: true, at: offset) else { return }
        continue
      }
      let isWanted = try await run(offset..<offset + 1, of: place - offset, request, outputs, lane)
      place.deinitialize(count: 1)
      if !isWanted { return }
    }
  }

  /// Runs the items in the range; false if the rest of the chunk is not wanted.
  private func run(
    _ range: Range<Int>, of items: UnsafePointer<W.Input>, _ request: ChunkRequest,
    _ outputs: OutputWriter<W.Output>, _ lane: HostLane
  ) async throws -> Bool {
    var next = range.lowerBound
    while next < range.upperBound {
      KillPoint.workerMakesRoom.reach()
      let room = try outputs.makeRoom(for: next..<range.upperBound)
      var run = _ItemRun(
        inputs: items, outputs: room.place, range: room.range, progress: lane.lane.progress,
        startTime: request.isTimed ? lane.lane.itemStart : nil, sink: room.sink)
      KillPoint.workerRuns.reach()
      let end = await worker._run(&run, &state!)
      KillPoint.workerRan.reach()
      next = run.next
      try outputs.closeRoom(upTo: next)
      switch end {
      case .finished: continue
      case .abandoned:
        guard let error = run.sinkError else { return false }
        guard try outputs.itemFailed(error, isUndecodable: true, at: next) else { return false }
      case .threw(let error):
        guard try outputs.itemFailed(error, isUndecodable: false, at: next) else { return false }
      }
      next += 1
    }
    return true
  }
}
