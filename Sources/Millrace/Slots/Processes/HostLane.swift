import CMillrace
import Logging
import MillraceIPC
import Synchronization

/// A lane in a worker process: a thread that runs what the request ring brings.
package final class HostLane: @unchecked Sendable {
  // Sound: everything but `segments` belongs to the lane's own thread.
  let lane: Lane
  @exclusivity(unchecked) var end: WorkerEnd
  private let bell: Doorbell
  private let number: Int
  private let slot: Int
  private let process: HostProcess
  private let position: ItemPosition
  /// What the worker's code knows of where it runs.
  private let context: WorkerContext
  private var sender = SegmentSender()
  private var instances: [UInt64: any HostedWorker] = [:]
  @exclusivity(unchecked) private(set) var measuresMemory = false
  /// A request that was taken, and is no chunk like the one before.
  @exclusivity(unchecked) private var pending: Frame?
  private let segments = Lock(SegmentReceiver())
  private let segmentBell = Bell()

  /// How closely it is watched when its items write to standard error.
  @exclusivity(unchecked) var watch = ErrorWatch()

  init(_ lane: Lane, bell: Doorbell, number: Int, slot: Int, process: HostProcess) {
    self.lane = lane
    end = WorkerEnd(lane, bell: bell)
    self.bell = bell
    self.number = number
    self.slot = slot
    self.process = process
    position = ItemPosition(progress: lane.progress, startTime: lane.itemStart)
    context = WorkerContext(slot: slot, position: position) { process.logger(slot: slot) }
  }

  /// Payloads above this travel in segments, and frames grow no larger.
  var largestInline: Int { lane.responseCapacity / 4 }

  var completedItems: Int {
    Int(truncatingIfNeeded: lane.progress.pointee.load(ordering: .relaxed) & LaneLayout.completed)
  }

  /// The pool announced a segment; called by the process's control thread.
  func adopt(_ id: UInt32, _ descriptor: Int32) throws {
    try segments.withLock { try $0.adopt(id, descriptor: descriptor) }
    segmentBell.ring()
  }

  // MARK: The loop

  /// Runs requests until told to stop.
  func loop() async {
    await WorkerContext.$running.withValue(context) { await run() }
  }

  private func run() async {
    do {
      try CrashReport.arm(at: lane.crashRecord, bell: bell.number)
      CrashReport.share(lane.addresses)
      CrashReport.guardProgress(of: lane)
      millrace_work_begins()
      defer { millrace_work_ends() }
      while true {
        guard let frame = try takePending() ?? end.requests.nextClaimed() else {
          millrace_work_ends()
          let result = try end.requests.waitForData()
          millrace_work_begins()
          if case .closed = result { break }
          continue
        }
        guard try await handle(frame) else { break }
      }
      CrashReport.disarm()
    } catch {
      process.fail(error)
    }
  }

  private func takePending() -> Frame? {
    defer { pending = nil }
    return pending
  }

  private func handle(_ frame: Frame) async throws -> Bool {
    switch frame.header.kind {
    case FrameKind.open: try await open(frame)
    case FrameKind.chunk: try await run(frame)
    case FrameKind.tearDown: try await tearDown(frame.header.b)
    case FrameKind.retired:
      waitForSegment(frame.header.a)
      try segments.withLock { try $0.drop(frame.header.a) }
    case FrameKind.stop:
      end.marker.enter(.tearingDown)
      KillPoint.workerStops.reach()
      for instance in instances.values {
        do {
          _ = try await instance.tearDown()
        } catch {
          context.logger.error("tear-down of a worker that was given up failed: \(error)")
        }
      }
      instances.removeAll()
      try send(FrameHeader(kind: FrameKind.stopped))
      return false
    default: throw WireProblem("a request of kind \(frame.header.kind)")
    }
    return true
  }

  private func open(_ frame: Frame) async throws {
    let key = frame.header.b
    noteErrors()
    end.marker.enter(.settingUp)
    position.enter(first: 0, attempt: 1, seed: 0)
    do {
      let instance = try withPayload(of: frame) { try process.makeWorker($0) }
      try KillPoint.workerSetsUp.reachThrowing()
      try await instance.setUp(context)
      // No item is to answer for it later.
      process.endIfCutOff()
      instances[key] = instance
      KillPoint.workerIsSetUp.reach()
      end.marker.enter(.idle)
      try send(FrameHeader(kind: FrameKind.opened, b: key))
      KillPoint.workerIsReady.reach()
    } catch {
      end.marker.enter(.idle)
      try sendError(error, FrameHeader(kind: FrameKind.openFailed, b: key))
    }
  }

  private func run(_ frame: Frame) async throws {
    KillPoint.workerTakesChunk.reach()
    let (payload, segment) = try resolve(frame)
    let request = try ChunkRequest(frame.header, payload)
    guard let instance = instances[request.worker] else { throw WireProblem("a chunk for a worker that is not here") }
    measuresMemory = request.flags & FrameFlags.measuresMemory != 0
    begin(request)
    try await instance.run(request, on: self)
    end.marker.enter(.idle)
    release(segment)
  }

  private func begin(_ request: ChunkRequest) {
    position.enter(first: Int(request.head.first), attempt: Int(request.head.attempt), seed: request.head.seed)
    if watch.looks { noteErrors() }
    end.marker.beginChunk(request.id)
    endIfCrashing()
    KillPoint.workerBeginsChunk.reach()
  }

  /// The next request, if it is there already, and a chunk of the same kind as the one that has just been answered.
  func nextChunk(like last: ChunkRequest, _ isFit: (ChunkRequest) -> Bool) throws -> ChunkRequest? {
    end.marker.enter(.idle)
    guard let frame = try end.requests.nextClaimed() else { return nil }
    if frame.header.kind == FrameKind.chunk, frame.header.c == last.worker, frame.header.flags == last.flags,
      last.flags & FrameFlags.segment == 0
    {
      let request = try ChunkRequest(frame.header, frame.payload)
      if isFit(request) {
        KillPoint.workerTakesChunk.reach()
        begin(request)
        return request
      }
    }
    pending = frame
    return nil
  }

  private func tearDown(_ key: UInt64) async throws {
    noteErrors()
    end.marker.enter(.tearingDown)
    let instance = instances.removeValue(forKey: key)
    do {
      try KillPoint.workerTearsDown.reachThrowing()
      let exit = try await instance?.tearDown()
      end.marker.enter(.idle)
      let header = FrameHeader(kind: FrameKind.tornDown, flags: exit == nil ? FrameFlags.empty : 0, b: key)
      try (exit ?? []).withUnsafeBytes { try sendAnySize(header, $0) }
      KillPoint.workerToreDown.reach()
    } catch let error as ProtocolError {
      throw error
    } catch {
      end.marker.enter(.idle)
      try sendError(error, FrameHeader(kind: FrameKind.tornDown, flags: FrameFlags.failed, b: key))
    }
  }

  /// An item, or something else of the user's, is about to begin: what was written to standard error until now is not its own.
  /// Where code of the user's has put something else in the place of standard error, nothing comes to us, and nothing is quoted.
  func noteErrors() { if lane.noteErrors(2) { watch.hasWritten = true } }

  /// Between two items, of which the first threw: where a process has no descriptor left, that may be why, and the next ones
  /// would fare no better. Another worker takes them.
  func endIfItHasNoDescriptors() {
    guard millrace_fd_is_last() != 0 else { return }
    end.marker.enter(.idle)
    process.fail(WireProblem("it has run out of descriptors"))
  }

  /// Before something is begun or said: where another thread has marked a crash, or has called `exit`, it counts for nothing.
  /// The item may have been woken by what came of that.
  @inline(__always)
  func endIfCrashing() { if millrace_is_crashing() != 0 { millrace_await_end() } }

  // MARK: Payloads that come

  private func resolve(_ frame: Frame) throws -> (UnsafeRawBufferPointer, UInt32?) {
    guard frame.header.flags & FrameFlags.segment != 0 else { return (frame.payload, nil) }
    guard frame.payload.count >= MemoryLayout<SegmentReference>.size else { throw WireProblem("no segment") }
    let reference = frame.payload.loadUnaligned(as: SegmentReference.self)
    let id = UInt32(truncatingIfNeeded: reference.id)
    waitForSegment(id)
    nonisolated(unsafe) var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    try segments.withLock { bytes = try $0.resolve(id, length: Int(clamping: reference.length)) }
    return (bytes, id)
  }

  /// It was announced before the frame that speaks of it was sent, but another thread listens to that.
  private func waitForSegment(_ id: UInt32) {
    while !segments.withLock({ $0.contains(id) }) { segmentBell.waitForWork() }
  }

  private func release(_ segment: UInt32?) {
    if let segment { segments.withLock { $0.release(segment) } }
  }

  private func withPayload<R>(of frame: Frame, _ body: (UnsafeRawBufferPointer) throws -> R) throws -> R {
    let (payload, segment) = try resolve(frame)
    defer { release(segment) }
    return try body(payload)
  }

  // MARK: Payloads that go

  /// Opens a frame with room for so many bytes; waits for space.
  func openFrame(_ header: FrameHeader, payload: Int) throws -> UnsafeMutableRawPointer {
    while true {
      if try end.responses.waitForSpace(payload) == .closed { process.fail(WireProblem("the lane was closed")) }
      guard try end.responses.begin(header) else { continue }
      if let place = try end.responses.append(count: payload) { return place }
      end.responses.abandon()
    }
  }

  func send(
    _ header: FrameHeader, _ payload: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) throws {
    endIfCrashing()
    while try end.responses.send(header, payload) == nil {
      if try end.responses.waitForSpace(payload.count) == .closed { process.fail(WireProblem("the lane was closed")) }
    }
  }

  /// Sends a payload in a segment of its own.
  func sendSegment(_ header: FrameHeader, _ length: Int, _ write: (UnsafeMutableRawPointer) -> Void) throws {
    // A copy of this process ends here, before it writes into a segment that both have.
    end.marker.touch()
    let placement: Placement
    do throws(MemoryError) {
      placement = try sender.place(length)
    } catch {
      if error.isForWantOfDescriptors { process.fail(error) }
      throw error
    }
    write(placement.buffer.baseAddress!)
    if let descriptor = placement.newDescriptor {
      process.announce(segment: placement.id, lane: number, descriptor)
      sender.letGo(placement.id)
    }
    var reference = SegmentReference(id: UInt64(placement.id), length: UInt64(length))
    try withUnsafeBytes(of: &reference) { try send(header, $0) }
    try sender.tellRetired {
      try send(FrameHeader(kind: FrameKind.retired, a: $0))
      return true
    }
  }

  private func sendAnySize(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
    guard payload.count > largestInline, let source = payload.baseAddress else { return try send(header, payload) }
    var header = header
    header.flags |= FrameFlags.segment
    try sendSegment(header, payload.count) { $0.copyMemory(from: source, byteCount: payload.count) }
  }

  private func sendError(_ error: any Error, _ header: FrameHeader) throws {
    var writer = ByteWriter()
    try WireError(error.forUsers).encode(into: &writer)
    try sendAnySize(header, writer.bytes)
  }

  func sendDone(_ chunk: UInt64, items: Int, elapsed: UInt64) throws {
    var memory = measuresMemory ? UInt64(Machine.residentBytes) : 0
    let header = FrameHeader(
      kind: FrameKind.chunkDone, a: UInt32(truncatingIfNeeded: items), b: chunk, c: elapsed)
    if memory == 0 { return try send(header) }
    try withUnsafeBytes(of: &memory) { try send(header, $0) }
  }
}
