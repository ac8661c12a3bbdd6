import CMillrace
import Logging
import MillraceIPC
import Synchronization

/// A lane in a worker process: a thread that runs what the request ring brings.
final class HostLane: @unchecked Sendable {
  // Sound: everything but `segments` and `tasks` belongs to the lane's own thread.
  let lane: Lane
  @exclusivity(unchecked) var end: WorkerEnd
  private let bell: Doorbell
  private let number: Int
  private let slot: Int
  private let process: HostProcess
  private var sender = SegmentSender()
  /// A request that was taken, and is no chunk like the one before.
  @exclusivity(unchecked) private var pending: Frame?
  private let segments = Lock(SegmentReceiver())
  private let segmentBell = Bell()
  private let passage: HostPassage
  private let position: ItemPosition
  /// Where its requests are carried out.
  private let tasks: HostTasks
  /// In a process that was forked for one worker: that, until it is asked for.
  @exclusivity(unchecked) private var forked: (any HostedWorker)?

  init(_ lane: Lane, bell: Doorbell, number: Int, slot: Int, process: HostProcess) {
    self.lane = lane
    end = WorkerEnd(lane, bell: bell)
    self.bell = bell
    self.number = number
    self.slot = slot
    self.process = process
    passage = HostPassage(lane: number, of: process)
    position = ItemPosition(progress: lane.progress, startTime: lane.itemStart, part: lane.part)
    tasks = HostTasks(position)
  }

  /// Payloads above this travel in segments, and frames grow no larger.
  var largestInline: Int { lane.responseCapacity / 4 }

  /// The pool announced a segment; called by the process's control thread.
  func adopt(_ id: UInt32, _ descriptor: Int32) throws {
    try segments.withLock { try $0.adopt(id, descriptor: descriptor) }
    segmentBell.ring()
  }

  /// Nobody wants these chunks, or this set-up, any more; called by the process's control thread.
  func giveUp(_ numbers: ClosedRange<UInt64>) { tasks.giveUp(numbers, of: self) }

  // MARK: The loop

  /// Runs requests on the lane's thread until told to stop.
  func loop(on thread: LaneThread) async {
    let host = WorkerHost(self, slot: slot, position: position, tasks: tasks) { [process, slot] in
      process.logger(slot: slot)
    }
    passage.stay()
    defer { SharedPassage.leave() }
    // Before it serves: if a lock that was copied with the program stays taken for ever, it comes out now, and it is replaced.
    forked = process.makeForkedWorker?()
    try? forked?.prepare(on: host)
    do {
      try CrashReport.arm(at: lane.crashRecord, bell: bell.number)
      CrashReport.share(lane.addresses)
      CrashReport.guardProgress(of: lane)
      millrace_work_begins()
      defer { millrace_work_ends() }
      await host.serve(on: thread) { await self.run(host) }
      CrashReport.disarm()
    } catch {
      process.fail(error)
    }
  }

  /// Runs requests; true if what is next is to run in another task, false when there are no more.
  private func run(_ host: WorkerHost) async -> Bool {
    do {
      while true {
        guard let frame = try takePending() ?? end.requests.nextClaimed() else {
          millrace_work_ends()
          let result = try end.requests.waitForData()
          millrace_work_begins()
          if case .closed = result { return false }
          continue
        }
        guard host.mayBegin(frame.header) else {
          pending = frame
          return true
        }
        guard try await handle(frame, host) else { return false }
      }
    } catch {
      process.fail(error)
    }
  }

  private func takePending() -> Frame? {
    defer { pending = nil }
    return pending
  }

  private func handle(_ frame: Frame, _ host: WorkerHost) async throws -> Bool {
    if frame.header.isKind(.retired) {
      waitForSegment(frame.header.segment)
      try segments.withLock { try $0.drop(frame.header.segment) }
      return true
    }
    let (payload, segment) = try resolve(frame)
    defer { release(segment) }
    return try await host.handle(frame.header, payload)
  }

  /// Before something is begun or said: where another thread has marked a crash, or has called `exit`, it counts for nothing.
  /// The item may have been woken by what came of that.
  @inline(__always)
  func endIfCrashing() { if millrace_is_crashing() != 0 { millrace_await_end() } }

  // MARK: Payloads that come

  private func resolve(_ frame: Frame) throws -> (UnsafeRawBufferPointer, UInt32?) {
    guard frame.header.frameFlags.contains(.segment) else { return (frame.payload, nil) }
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

  private func sendInline(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
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
    try withUnsafeBytes(of: &reference) { try sendInline(header, $0) }
    try sender.tellRetired {
      try send(.retired($0))
      return true
    }
  }
}

extension HostLane: HostChannel {
  func send(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) throws {
    guard payload.count > largestInline, let source = payload.baseAddress else {
      return try sendInline(header, payload)
    }
    var header = header
    header.frameFlags.insert(.segment)
    try sendSegment(header, payload.count) { $0.copyMemory(from: source, byteCount: payload.count) }
  }

  func makeWorker(_ announcement: UnsafeRawBufferPointer) throws -> any HostedWorker {
    try KillPoint.workerDecodesWorker.reachThrowing()
    if let forked = forked.take() { return forked }
    return try process.makeForkedWorker?() ?? announcedWorker(announcement)
  }

  func makeOutputs<Output>(_ coding: PayloadCoding<Output>, _ host: WorkerHost) -> OutputWriter<Output> {
    LaneOutputWriter(coding, host, lane: self)
  }

  func nextChunk(
    like last: ChunkRequest, _ host: WorkerHost, _ isFit: (ChunkRequest) -> Bool
  ) throws -> ChunkRequest? {
    end.marker.enter(.idle)
    guard let frame = try end.requests.nextClaimed() else { return nil }
    if frame.header.isKind(.chunk), frame.header.chunkWorker == last.worker, frame.header.frameFlags == last.flags,
      last.flags.isDisjoint(with: [.segment, .baggage])
    {
      let request = try ChunkRequest(frame.header, frame.payload)
      if isFit(request), host.mayBegin(chunk: request.id) {
        KillPoint.workerTakesChunk.reach()
        host.begin(request)
        return request
      }
    }
    pending = frame
    return nil
  }

  func enter(_ state: LaneState) {
    if state != .idle { passage.begin() }
    end.marker.enter(state)
  }

  func begins(_ request: ChunkRequest, _ host: WorkerHost) {
    passage.begin(chunk: request.id)
    end.marker.beginChunk(request.id)
    endIfCrashing()
  }

  func noteErrors() -> Bool { lane.noteErrors(2) }

  func endIfCutOff() { process.endIfCutOff() }

  /// Where a process has no descriptor left, that may be why the item threw. Another worker takes the next ones.
  func endIfExhausted() {
    guard millrace_fd_is_last() != 0 else { return }
    end.marker.enter(.idle)
    process.fail(WireProblem("it has run out of descriptors"))
  }
}
