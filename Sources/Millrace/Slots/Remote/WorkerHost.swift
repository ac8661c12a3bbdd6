package import Logging
package import MillraceIPC
package import Synchronization

/// The workers of a slot, in the process in which they run: carries out what the pool asks, one request after the other.
///
/// How requests come here and answers go back is the channel's affair.
package final class WorkerHost: @unchecked Sendable {
  // Sound: belongs to the thread that runs its requests. The words of its position are atomics, which others may change.
  package let channel: any HostChannel
  private let position: ItemPosition
  /// What the worker's code knows of where it runs.
  private let context: WorkerContext
  private var instances: [UInt64: any HostedWorker] = [:]
  @exclusivity(unchecked) package private(set) var measuresMemory = false
  @exclusivity(unchecked) private(set) var samplesMemory = false
  /// Where its requests are carried out.
  private let tasks: HostTasks
  /// How many set-ups it has come to.
  private var setUps: UInt64 = 0
  /// What goes around each item of the chunk that is running, if anything does.
  @exclusivity(unchecked) private(set) var itemSurroundings: (any ChunkSurroundings)?
  /// How closely standard error is watched while items run.
  @exclusivity(unchecked) var watch = ErrorWatch()

  /// - Parameters:
  ///   - position: by default, one that nobody outside of this process sees.
  ///   - tasks: made for that position, where they have to be known before the host is.
  package init(
    _ channel: any HostChannel, slot: Int, position: ItemPosition = ItemPosition(), tasks: HostTasks? = nil,
    logger: @escaping @Sendable () -> Logger
  ) {
    self.channel = channel
    self.position = position
    self.tasks = tasks ?? HostTasks(position)
    context = WorkerContext(slot: slot, position: position, logger: logger)
  }

  /// Counts the items of the chunk that are done, beside its tag.
  package var progress: UnsafePointer<Atomic<UInt64>> { position.progress }
  var itemStart: UnsafePointer<Atomic<UInt64>> { position.startTime }

  /// The item at hand, for who goes around it.
  var item: (index: Int, attempt: Int) { position.current }

  var completedItems: Int {
    Int(truncatingIfNeeded: progress.pointee.load(ordering: .relaxed) & LaneLayout.completed)
  }

  /// None of the chunk's items is done.
  func resetProgress(for request: ChunkRequest) {
    progress.pointee.store(LaneLayout.tag(request.id), ordering: .releasing)
  }

  /// The chunk, or the set-up, of this number is not wanted: if it runs, its current item does not count any more, and its task is
  /// cancelled. From any thread.
  func cancel(_ number: UInt64) { tasks.giveUp(number...number, of: self) }

  // MARK: Its tasks

  /// Carries requests out on the thread, which must be the calling one's, in one task after the other, which sees the worker's context:
  /// as often as the body says that it is to be called again, for what it has taken ``mayBegin(_:)`` no more.
  package func serve(on thread: LaneThread, _ body: @escaping @Sendable () async -> Bool) async {
    while await tasks.serve(on: thread, { await WorkerContext.$running.withValue(self.context, operation: body) }) {}
  }

  @inline(__always)
  func mayBegin(chunk number: UInt64) -> Bool { tasks.mayBegin(number) }

  /// Whether what is asked may be carried out in the current task; it is handled next, if so.
  package func mayBegin(_ header: FrameHeader) -> Bool {
    switch header.frameKind {
    case .chunk: mayBegin(chunk: header.chunk)
    case .open: tasks.mayBegin(HostTasks.Number.setUp(setUps + 1))
    default: tasks.mayBegin(HostTasks.Number.other)
    }
  }

  // MARK: Requests

  /// Carries a request out; false if it was the last. Throws if the channel is broken, or makes no sense.
  package func handle(_ header: FrameHeader, _ payload: UnsafeRawBufferPointer) async throws -> Bool {
    switch header.frameKind {
    case .open: try await open(header.worker, payload)
    case .chunk: try await run(ChunkRequest(header, payload))
    case .tearDown: try await tearDown(header.worker)
    case .stop:
      try await stop()
      return false
    default: throw WireProblem("a request of kind \(header.kind)")
    }
    return true
  }

  private func open(_ key: UInt64, _ announcement: UnsafeRawBufferPointer) async throws {
    noteErrors()
    channel.enter(.settingUp)
    position.enter(first: 0, attempt: 1, seed: 0, isItem: false)
    setUps += 1
    tasks.begin(HostTasks.Number.setUp(setUps))
    do {
      let instance = try channel.makeWorker(announcement)
      try KillPoint.workerSetsUp.reachThrowing()
      try await instance.setUp(context)
      // No item is to answer for it later.
      channel.endIfCutOff()
      instances[key] = instance
      KillPoint.workerIsSetUp.reach()
      channel.enter(.idle)
      try channel.send(.opened(key))
      KillPoint.workerIsReady.reach()
    } catch {
      channel.enter(.idle)
      try channel.sendError(error, .openFailed(key))
    }
  }

  private func run(_ request: ChunkRequest) async throws {
    KillPoint.workerTakesChunk.reach()
    guard let instance = instances[request.worker] else { throw WireProblem("a chunk for a worker that is not here") }
    measuresMemory = request.flags.contains(.measuresMemory)
    samplesMemory = request.flags.contains(.samplesMemory)
    begin(request)
    if let baggage = request.baggage {
      let surroundings = try Baggage.unpack(baggage)
      itemSurroundings = surroundings.surroundsItems ? surroundings : nil
      defer { itemSurroundings = nil }
      try await surroundings.around { try await instance.run(request, on: self) }
    } else {
      try await instance.run(request, on: self)
    }
    channel.enter(.idle)
  }

  /// A chunk begins.
  func begin(_ request: ChunkRequest) {
    position.enter(first: Int(request.head.first), attempt: Int(request.head.attempt), seed: request.head.seed)
    if watch.looks { noteErrors() }
    channel.begins(request, self)
    tasks.begin(request.id)
    KillPoint.workerBeginsChunk.reach()
  }

  private func tearDown(_ key: UInt64) async throws {
    noteErrors()
    position.leaveItems()
    channel.enter(.tearingDown)
    let instance = instances.removeValue(forKey: key)
    do {
      try KillPoint.workerTearsDown.reachThrowing()
      let exit = try await instance?.tearDown()
      channel.enter(.idle)
      let header = FrameHeader.tornDown(key, exit == nil ? .empty : [])
      try (exit ?? []).withUnsafeBytes { try channel.send(header, $0) }
      KillPoint.workerToreDown.reach()
    } catch let error as ProtocolError {
      throw error
    } catch {
      channel.enter(.idle)
      try channel.sendError(error, .tornDown(key, .failed))
    }
  }

  private func stop() async throws {
    position.leaveItems()
    channel.enter(.tearingDown)
    KillPoint.workerStops.reach()
    for instance in instances.values {
      do {
        _ = try await instance.tearDown()
      } catch {
        context.logger.error("tear-down of a worker that was given up failed: \(error)")
      }
    }
    instances.removeAll()
    try channel.send(.stopped)
  }

  // MARK: From the run of a chunk

  /// An item, or something else of the user's, is about to begin: what was written to standard error until now is not its own.
  /// Where code of the user's has put something else in the place of standard error, nothing comes to us, and nothing is quoted.
  func noteErrors() { if channel.noteErrors() { watch.hasWritten = true } }
}
