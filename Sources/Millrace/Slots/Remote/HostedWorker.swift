import MillraceIPC

/// A worker's instance in another process than the pool's, without its type.
package protocol HostedWorker: AnyObject {
  /// Finds out how items and outputs travel, as the first chunk would.
  func prepare(on host: WorkerHost) throws
  func setUp(_ context: WorkerContext) async throws
  func run(_ request: ChunkRequest, on host: WorkerHost) async throws
  /// The encoded exit value; nil if it had not been set up.
  func tearDown() async throws -> [UInt8]?
}

package final class TypedHostedWorker<W: Worker>: HostedWorker {
  private let worker: W
  private var state: W.State?
  /// Made with the first chunk, if not before.
  private var input: ItemReader<W.Input>?
  private var outputs: OutputWriter<W.Output>?
  // Of the worker's thread alone, which is in them once at a time: small chunks pay for each check.
  /// The chunk that is run; nil when all that was there is done.
  @exclusivity(unchecked) private var current: ChunkRequest?
  /// What went wrong between two chunks.
  @exclusivity(unchecked) private var problem: (any Error)?
  /// The item behind those that there is room for, where they are read one by one.
  @exclusivity(unchecked) private var roomEnd = 0
  /// The same, where they lie in place and are run one by one for all that, to be looked at between them; or else 0.
  @exclusivity(unchecked) private var watchedEnd = 0
  private let alignment = MemoryLayout<W.Input>.alignment

  init(_ worker: W) { self.worker = worker }

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
    try Payload.coding(for: W.Exit.self, standIn: RemoteError.self).encode(exit, into: &writer)
    return Array(writer.bytes)
  }

  package func prepare(on host: WorkerHost) throws { _ = try ends(on: host) }

  private func ends(on host: WorkerHost) throws -> (ItemReader<W.Input>, OutputWriter<W.Output>) {
    let input = try input ?? ItemReader(Payload.coding(for: W.Input.self, standIn: RemoteError.self))
    let outputs =
      try outputs ?? host.channel.makeOutputs(Payload.coding(for: W.Output.self, standIn: RemoteError.self), host)
    (self.input, self.outputs) = (input, outputs)
    return (input, outputs)
  }

  package func run(_ request: ChunkRequest, on host: WorkerHost) async throws {
    let (input, outputs) = try ends(on: host)
    outputs.begin(request)
    current = request
    if request.isPacked, let items = items(of: request) {
      try await runInPlace(items.assumingMemoryBound(to: W.Input.self), outputs, host)
    } else if request.isPacked, MemoryLayout<W.Input>.size == 0 {
      let place = UnsafeMutablePointer<W.Input>.allocate(capacity: request.count)
      defer { place.deallocate() }
      try await runInPlace(place, outputs, host)
    } else {
      input.begin(request)
      try await runOneByOne(input, outputs, host)
    }
    guard current != nil else { return }
    KillPoint.workerFinishesChunk.reach()
    try outputs.finish(items: host.completedItems)
    KillPoint.workerFinishedChunk.reach()
  }

  /// The items where they lie, if they can be run there.
  private func items(of request: ChunkRequest) -> UnsafeRawPointer? {
    guard let start = request.items.baseAddress, !request.items.isEmpty,
      Int(bitPattern: start) & (alignment - 1) == 0
    else { return nil }
    return start
  }

  /// Runs the items where they lie, and those of the chunks behind theirs.
  private func runInPlace(
    _ items: UnsafePointer<W.Input>, _ outputs: OutputWriter<W.Output>, _ host: WorkerHost
  ) async throws {
    var next = 0
    var items = items
    while let request = current, next < request.count {
      let isWanted = try await run(next..<request.count, of: items, request, outputs, host, &next) { run in
        self.goOn(&run, outputs, host)
      }
      if let problem { throw problem }
      guard let now = current else { return }
      if let place = self.items(of: now) { items = place.assumingMemoryBound(to: W.Input.self) }
      if !isWanted { return }
    }
  }

  /// The chunk is done: goes on with the next, if it is there and of the same kind.
  private func goOn(
    _ run: inout _ItemRun<W.Input, W.Output>, _ outputs: OutputWriter<W.Output>, _ host: WorkerHost
  ) -> Bool {
    if run.next < watchedEnd {
      host.noteErrors()
      run.end = run.next + 1
      return true
    }
    guard outputs.endsWithItsRoom else { return false }
    do {
      guard let request = try takeNext(run.next, outputs, host, { items(of: $0) != nil }),
        let items = items(of: request)
      else { return false }
      KillPoint.workerMakesRoom.reach()
      let (place, count) = try outputs.openPacked(0..<request.count)
      KillPoint.workerRuns.reach()
      run.inputs = items.assumingMemoryBound(to: W.Input.self)
      run.outputs = place.assumingMemoryBound(to: W.Output.self)
      (run.next, run.end, run.tag) = (0, watched(count, host), LaneLayout.tag(request.id))
      return true
    } catch {
      problem = error
      return false
    }
  }

  /// Up to where items are run in one go that have room up to `end`: the first of them, `next`, alone, if they are looked at.
  private func watched(_ end: Int, from next: Int = 0, _ host: WorkerHost) -> Int {
    watchedEnd = host.watch.looksAtItems ? end : 0
    return host.watch.looksAtItems ? min(next + 1, end) : end
  }

  /// Ends the chunk, if `done` are all of its items, and begins the next, if it is there and fits.
  @inline(__always)
  private func takeNext(
    _ done: Int, _ outputs: OutputWriter<W.Output>, _ host: WorkerHost, _ isFit: (ChunkRequest) -> Bool
  ) throws -> ChunkRequest? {
    guard let last = current, done == last.count else { return nil }
    KillPoint.workerRan.reach()
    try outputs.closeRoom(upTo: done)
    KillPoint.workerFinishesChunk.reach()
    try outputs.finish(items: done)
    KillPoint.workerFinishedChunk.reach()
    current = nil
    guard let next = try host.channel.nextChunk(like: last, host, isFit) else { return nil }
    current = next
    outputs.begin(next, at: outputs.ended)
    return next
  }

  /// Decodes each item just before it runs, so that the marker blames the right one for what its decoding does. Runs the
  /// items of the chunks behind it too.
  private func runOneByOne(
    _ reader: ItemReader<W.Input>, _ outputs: OutputWriter<W.Output>, _ host: WorkerHost
  ) async throws {
    defer { reader.empty() }
    var next = 0
    while let request = current, next < request.count {
      if next > 0, host.watch.looksAtItems { host.noteErrors() }
      if let error = try reader.read() {
        guard try outputs.itemFailed(error, isUndecodable: true, at: next) else { return }
        next += 1
        continue
      }
      KillPoint.workerMakesRoom.reach()
      let room = try outputs.makeRoom(for: next..<request.count)
      roomEnd = room.range.upperBound
      var run = _ItemRun(
        inputs: reader.place - next, outputs: room.place, range: next..<next + 1, progress: host.progress,
        tag: LaneLayout.tag(request.id), startTime: request.isTimed ? host.itemStart : nil, sink: room.sink,
        goOn: host.itemSurroundings == nil ? { self.readOn(&$0, reader, outputs, host) } : nil)
      KillPoint.workerRuns.reach()
      let end: _RunEnd
      if let surroundings = host.itemSurroundings {
        end = await surroundings.aroundItem(host.item.index, attempt: host.item.attempt) {
          await worker._run(&run, &state!)
        }
      } else {
        end = await worker._run(&run, &state!)
      }
      if let problem { throw problem }
      if current == nil { return }
      next = run.next
      KillPoint.workerRan.reach()
      try outputs.closeRoom(upTo: next)
      guard try report(end, run.sinkError, outputs, host, at: &next), !run.isCut else { return }
    }
  }

  /// Reads the next item: of the chunk, or of the one behind it if that is there and of the same kind.
  private func readOn(
    _ run: inout _ItemRun<W.Input, W.Output>, _ reader: ItemReader<W.Input>, _ outputs: OutputWriter<W.Output>,
    _ host: WorkerHost
  ) -> Bool {
    if run.next == roomEnd {
      do {
        guard let request = try takeNext(run.next, outputs, host, { _ in true }) else { return false }
        reader.begin(request)
        KillPoint.workerMakesRoom.reach()
        let room = try outputs.makeRoom(for: 0..<request.count)
        roomEnd = room.range.upperBound
        KillPoint.workerRuns.reach()
        run.outputs = room.place
        (run.next, run.end, run.tag) = (0, 0, LaneLayout.tag(request.id))
      } catch {
        problem = error
        return false
      }
    }
    guard reader.readsOn() else { return false }
    if host.watch.looksAtItems { host.noteErrors() }
    (run.inputs, run.end) = (UnsafePointer(reader.place - run.next), run.next + 1)
    return true
  }

  /// Runs the items in the range, or what the run goes on with; false if the rest of the chunk is not wanted here. `next` becomes
  /// the first item that was not run.
  private func run(
    _ range: Range<Int>, of items: UnsafePointer<W.Input>, _ request: ChunkRequest,
    _ outputs: OutputWriter<W.Output>, _ host: WorkerHost, _ next: inout Int,
    goOn: ((inout _ItemRun<W.Input, W.Output>) -> Bool)? = nil
  ) async throws -> Bool {
    next = range.lowerBound
    while next < range.upperBound {
      if next > 0, host.watch.looksAtItems { host.noteErrors() }
      KillPoint.workerMakesRoom.reach()
      let room = try outputs.makeRoom(for: next..<range.upperBound)
      let surroundings = host.itemSurroundings
      let runEnd =
        surroundings == nil ? watched(room.range.upperBound, from: room.range.lowerBound, host) : next + 1
      var run = _ItemRun(
        inputs: items, outputs: room.place, range: room.range.lowerBound..<runEnd, progress: host.progress,
        tag: LaneLayout.tag(request.id), startTime: request.isTimed ? host.itemStart : nil, sink: room.sink,
        goOn: surroundings == nil ? goOn : nil)
      KillPoint.workerRuns.reach()
      let end: _RunEnd
      if let surroundings {
        end = await surroundings.aroundItem(host.item.index, attempt: host.item.attempt) {
          await worker._run(&run, &state!)
        }
      } else {
        end = await worker._run(&run, &state!)
      }
      // Another chunk's, or none's: what is left of that is its own.
      let hasGoneOn = current?.id != request.id
      next = run.next
      if current == nil { return true }
      KillPoint.workerRan.reach()
      try outputs.closeRoom(upTo: next)
      guard try report(end, run.sinkError, outputs, host, at: &next), !run.isCut else { return false }
      if hasGoneOn { return true }
    }
    return true
  }

  /// Says how a run ended, if it ended before its items; false if nobody wants the rest of the chunk.
  private func report(
    _ end: _RunEnd, _ sinkError: (any Error)?, _ outputs: OutputWriter<W.Output>, _ host: WorkerHost, at next: inout Int
  ) throws -> Bool {
    switch end {
    case .finished: return true
    case .abandoned:
      guard let error = sinkError else { return false }
      guard try outputs.itemFailed(error, isUndecodable: true, at: next) else { return false }
    case .threw(let error):
      let goesOn = try outputs.itemFailed(error.withoutLevels, isUndecodable: false, at: next)
      host.channel.endIfExhausted()
      guard goesOn else { return false }
    }
    next += 1
    return true
  }
}

/// The worker that an announcement speaks of.
package func announcedWorker(_ announcement: UnsafeRawBufferPointer) throws -> any HostedWorker {
  var rest = announcement
  let type = try announcedType(&rest)
  func make<W: Worker>(_ type: W.Type, _ bytes: UnsafeRawBufferPointer) throws -> any HostedWorker {
    try TypedHostedWorker<W>.make(bytes)
  }
  return try make(type, Records.next(&rest).bytes)
}

/// The type of the worker that an announcement speaks of; its configuration is the next record.
func announcedType(_ rest: inout UnsafeRawBufferPointer) throws -> any Worker.Type {
  let reference = TypeReference(bytes: Array(try Records.next(&rest).bytes))
  guard let type = reference.resolve() as? any Worker.Type else {
    throw WireProblem("the worker's type is not in this process")
  }
  return type
}
