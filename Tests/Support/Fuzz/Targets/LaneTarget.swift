import Millrace
import MillraceIPC

/// A worker's answers as the pool takes them in: a chunk and a batch of two, of packed outputs, of records, of encoded ones.
///
/// Input: which worker; the words of the page that the worker writes; then the response ring.
struct LaneTarget: FuzzTarget {
  let name = "lane"
  static let items = 8
  private static let capacity = 1 << 16

  private let scenes: [any LaneScene] = [
    Scene(LaneNumbers()) { Int($0) }, Scene(LaneWords()) { "\($0)" }, Scene(LaneTrees()) { [["\($0)"], []] },
    Scene(LaneNothing()) { _ in () },
  ]

  func valid(_ random: inout FuzzRandom) throws -> [[UInt8]] {
    let choice = random.below(scenes.count)
    let frames = try scenes[choice].answers(&random)
    let size = UInt64(frames.reduce(0) { $0 + $1.count })
    let marker =
      random.chance(70)
      ? littleEndian(0, 0, 0, 3, 0) : littleEndian(2, 2, 5, 3, LaneLayout.tag(2) | UInt64(random.below(9)))
    return [littleEndian(UInt64(choice)), littleEndian(size, size), marker] + frames
  }

  func read(_ bytes: [UInt8]) throws {
    var reader = WordReader(bytes)
    let scene = scenes[Int(reader.word() % UInt64(scenes.count))]
    let pool = LanePool(scene.remote)
    let lane = try RemoteLane(slot: 0, generation: pool.generation, number: 0, forkedFor: nil, capacity: Self.capacity)
    let noAnnouncement: (UInt32, Int32) throws -> Void = { _, _ in }
    try lane.send(.open(pool.record, announcement: [1]), announce: noAnnouncement)
    for chunk in pool.chunks { try lane.send(.chunk(chunk, pool.record), announce: noAnnouncement) }
    try lane.send(.tearDown(pool.record.key), announce: noAnnouncement)
    lane.work.tearsDown(pool.record)
    try lane.send(.stop, announce: noAnnouncement)

    let memory = try HostileMemory(of: lane.lane)
    memory.set(LaneLayout.responsesOffset + LaneLayout.headOffset, reader.word())
    memory.set(LaneLayout.responsesOffset + LaneLayout.openEndOffset, reader.word())
    memory.set(LaneLayout.markerOffset, UInt32(truncatingIfNeeded: reader.word()))
    for place in 1...4 { memory.set(LaneLayout.markerOffset + 8 * place, reader.word()) }
    memory.set(SharedMemory.pageSize + Self.capacity, reader.rest.prefix(Self.capacity))

    var ledger = LaneLedger(pool)
    let fetch = { try adoptSegment(for: lane, scene) }
    let first = Result {
      while let answer = try lane.next(fetchSegments: fetch) { try ledger.note(answer, scene) }
    }
    if case .failure(let problem as FuzzProblem) = first { throw problem }
    for chunk in pool.chunks { try ledger.note(lane.inspect(chunk.id), of: chunk) }
    for chunk in pool.chunks { try ledger.note(lane.share(chunk.id), of: chunk) }
    let found = lane.salvage(fetchSegments: fetch)
    for answer in found.answers { try ledger.note(answer, scene) }
    if let running = found.running {
      let sent = lane.work.inFlight.elements.first { $0.chunk.id == running }
      guard let sent else { throw FuzzProblem("a chunk that is not there was running") }
      try promise(sent.received < sent.chunk.range.count, "an item behind the end of its chunk was running")
      if let index = lane.begunBehindLost(sent) {
        let unanswered = sent.chunk.range.dropFirst(sent.received)
        try promise(unanswered.dropFirst().contains(index), "what was begun behind lost outcomes is not behind them")
      }
    }
    try first.get()
  }

  /// The one segment that a lane may speak of: number 1, full of what an answer may hold.
  private func adoptSegment(for lane: RemoteLane, _ scene: any LaneScene) throws {
    guard !lane.knowsSegment(1) else { return }
    let memory = try SharedMemory(size: (64 << 10) + SharedMemory.pageSize)
    let mapping = try memory.map()
    try mapping.populate(0..<memory.size, of: memory)
    let bytes = try scene.outputs(of: 0..<Self.items)
    bytes.withUnsafeBytes { if let base = $0.baseAddress { mapping.base.copyMemory(from: base, byteCount: $0.count) } }
    try lane.adopt(1, memory.duplicate())
  }
}

/// A worker whose answers are read.
protocol LaneScene: Sendable {
  var remote: LaneRecord { get }
  /// What it would say, from its set-up to its end, frame by frame.
  func answers(_ random: inout FuzzRandom) throws -> [[UInt8]]
  func outputs(of offsets: Range<Int>) throws -> [UInt8]
  /// Looks at outputs that were taken in.
  func look(at outputs: any AnyObject, _ indices: Range<Int>) throws
}

struct LaneRecord: Sendable {
  let make: @Sendable (WorkerKey) -> WorkerRecord
  let cell: @Sendable (Int) -> any AnyObject & Sendable
}

private struct Scene<W: Worker>: LaneScene where W.Input == Int, W.Exit == Void {
  let worker: W
  let output: @Sendable (Int) -> W.Output

  init(_ worker: W, _ output: @escaping @Sendable (Int) -> W.Output) {
    self.worker = worker
    self.output = output
  }

  var remote: LaneRecord {
    LaneRecord(
      make: { [worker] in WorkerRecord(worker, key: $0) },
      cell: { InputCell(base: 0, items: Array(0..<$0)) })
  }

  private var isPacked: Bool { (try? Payload.coding(for: W.Output.self))?.fixedStride != nil }

  func outputs(of offsets: Range<Int>) throws -> [UInt8] {
    let coding = try Payload.coding(for: W.Output.self)
    var all = ByteWriter()
    for offset in offsets {
      if isPacked {
        try coding.encode(output(offset), into: &all)
      } else {
        var one = ByteWriter()
        try coding.encode(output(offset), into: &one)
        Records.append(one.bytes, to: &all)
      }
    }
    return Array(all.bytes)
  }

  func answers(_ random: inout FuzzRandom) throws -> [[UInt8]] {
    let key: UInt64 = 1
    var frames = random.chance(10) ? [frame(.begun)] : []
    frames.append(frame(.opened(key)))
    var hasSegment = false
    for chunk in LanePool.frames {
      var offset = 0
      var isOver = false
      while offset < LaneTarget.items {
        if random.chance(15) {
          var error = ByteWriter()
          try WireError(ErrorTarget.Full(code: offset, text: "no", underlying: [])).encode(into: &error)
          frames.append(frame(.itemFailed(offset, of: chunk), Array(error.bytes)))
          offset += 1
        } else {
          let end = offset + 1 + random.below(LaneTarget.items - offset)
          isOver = end == LaneTarget.items && random.chance(50)
          var header = FrameHeader.outputs(end - offset, of: chunk, isPacked ? .packed : [])
          // Where it is not the last, nobody asks for the time.
          header.makeFinal(nanoseconds: UInt64(random.below(1_000)))
          if !isOver { header.frameFlags.remove(.final) }
          var payload = try outputs(of: offset..<end)
          if random.chance(10), offset == 0 {
            header.frameFlags.insert(.segment)
            payload = littleEndian(1, UInt64(payload.count))
            hasSegment = true
          }
          frames.append(frame(header, payload))
          if hasSegment, random.chance(30) {
            frames.append(frame(.retired(1)))
            hasSegment = false
          }
          offset = end
        }
      }
      if !isOver {
        let header = FrameHeader.chunkDone(chunk, items: LaneTarget.items, nanoseconds: 77)
        frames.append(frame(header, random.chance(50) ? littleEndian(1 << 20) : []))
      }
    }
    frames.append(frame(.tornDown(key, .empty)))
    return frames + [frame(.stopped)]
  }

  func look(at outputs: any AnyObject, _ indices: Range<Int>) throws {
    guard let buffer = outputs as? OutputBuffer<W.Output> else { throw FuzzProblem("outputs of another type") }
    for index in indices {
      try promise(index >= buffer.base && index - buffer.base < buffer.capacity, "an output that is not there")
      _ = "\(buffer[index])"
    }
  }
}

private struct LaneNumbers: StatelessWorker { func process(_ item: Int) -> Int { item } }
private struct LaneWords: StatelessWorker { func process(_ item: Int) -> String { "\(item)" } }
private struct LaneTrees: StatelessWorker { func process(_ item: Int) -> [[String]] { [["\(item)"]] } }
private struct LaneNothing: StatelessWorker { func process(_ item: Int) {} }

/// What a pool would give to its only slot.
private struct LanePool {
  static let frames: ClosedRange<UInt64> = 1...3
  let record: WorkerRecord
  let chunks: [Chunk]
  let generation: Int

  init(_ remote: LaneRecord) {
    var limits = DispatchLimits()
    limits.prefetch = 2
    var dispatcher = Dispatcher(limits: limits)
    let key = dispatcher.addWorker()
    record = remote.make(key)
    dispatcher.resize(to: 1, now: 1)
    // An item that took no time: what follows is given out in batches.
    var first = JobSpec(worker: key)
    first.total = 1
    let opening = dispatcher.submit(first, now: 1)
    var spec = JobSpec(worker: key)
    spec.total = 3 * LaneTarget.items
    spec.window = .items(100)
    spec.chunking = ChunkSizer(.size(Double(LaneTarget.items)))
    spec.readsAtOnce = true
    spec.itemTimeout = 1_000
    let cell = remote.cell(3 * LaneTarget.items)
    var job: JobID?
    var chunks: [Chunk] = []
    var generation = 0
    var actions = dispatcher.takeActions()
    while !actions.isEmpty {
      for action in actions {
        switch action {
        case .read(let job, let count, _):
          // A chunk comes, and then the others: they are a batch behind it.
          let come = job == opening ? count : count == spec.total ? LaneTarget.items : count
          dispatcher.arrived(
            job, count: come, cell: cell, ended: job != opening && come == count, now: 2)
        case .start(let slot, let started):
          generation = started
          dispatcher.started(slot: slot, generation: started, now: 3)
        case .prepare(let slot, let started, let key):
          dispatcher.prepared(slot: slot, generation: started, key, now: 4)
        case .run(let slot, let started, let chunk) where chunk.job == opening:
          dispatcher.finished(
            slot: slot, generation: started, chunk: chunk.id, outputs: record, items: 1, elapsed: 1, now: 5)
          job = dispatcher.submit(spec, now: 5)
        case .run(_, _, let chunk): chunks.append(chunk)
        default: break
        }
      }
      actions = dispatcher.takeActions()
    }
    self.chunks = chunks
    self.generation = generation
    precondition(job != nil && chunks.map(\.count) == [1, 2], "chunks \(chunks.map(\.range)) were given")
  }
}

/// Whether what a worker is taken to have said can be.
private struct LaneLedger {
  private let pool: LanePool
  private var next: [Int: Int]
  private var ended: Set<Int> = []
  private var opened = 0
  private var tornDown = 0
  private var stopped = 0

  init(_ pool: LanePool) {
    self.pool = pool
    next = Dictionary(uniqueKeysWithValues: pool.chunks.map { ($0.id, $0.range.lowerBound) })
  }

  mutating func note(_ answer: RemoteAnswer, _ scene: any LaneScene) throws {
    switch answer {
    case .opened(let key), .openFailed(let key, _):
      opened += 1
      try promise(opened == 1 && key == pool.record.key, "\(key) was set up, the \(opened). time")
    case .outputs(let sent, let end, let outputs):
      try scene.look(at: outputs, try advance(sent, to: end))
    case .mixed(let sent, let range, let outputs, let broken):
      let indices = try advance(sent, to: range.upperBound)
      try promise(indices == range && !broken.isEmpty, "outputs \(range) where \(indices) were due")
      var next = range.lowerBound
      for (index, _) in broken {
        try promise(index >= next && index < range.upperBound, "a broken output out of order")
        try scene.look(at: outputs, next..<index)
        next = index + 1
      }
      try scene.look(at: outputs, next..<range.upperBound)
    case .itemFailed(let sent, let index, _), .failedThere(let sent, let index, _):
      let indices = try advance(sent, to: index + 1)
      try promise(indices == index..<index + 1, "item \(index) failed where \(indices.lowerBound) was due")
    case .done(let sent, let outputs, let items, _, let memory):
      if let outputs { try scene.look(at: outputs, try advance(sent, to: sent.end)) }
      try promise(ended.insert(sent.chunk.id).inserted, "chunk \(sent.chunk.id) ended twice")
      try promise(next[sent.chunk.id] == sent.chunk.range.upperBound, "a chunk ended without all its outcomes")
      try promise(
        items >= 0 && items <= sent.chunk.range.count && (memory ?? 0) >= 0, "\(items) items, \(memory ?? 0) bytes")
    case .tornDown(let key, _):
      tornDown += 1
      try promise(tornDown == 1 && key == pool.record.key, "\(key) was torn down, the \(tornDown). time")
    case .stopped:
      stopped += 1
      try promise(stopped == 1, "it stopped \(stopped) times")
      try promise(ended.count == pool.chunks.count, "it stopped with \(ended.count) chunks ended")
    }
  }

  mutating func note(_ inspection: Inspection, of chunk: Chunk) throws {
    guard case .item(let index, let since) = inspection else { return }
    try promise(index >= chunk.range.lowerBound && index <= chunk.range.upperBound, "item \(index) runs")
    try promise(since ?? 0 <= MonotonicTime.now, "an item began in the future")
  }

  func note(_ sharing: Sharing, of chunk: Chunk) throws {
    guard case .from(let start) = sharing else { return }
    try promise(start > (next[chunk.id] ?? 0) && start < chunk.range.upperBound, "item \(start) and on were given back")
  }

  private mutating func advance(_ sent: SentChunk, to end: Int) throws -> Range<Int> {
    guard let start = next[sent.chunk.id] else { throw FuzzProblem("outcomes of chunk \(sent.chunk.id)") }
    try promise(end > start && end <= sent.chunk.range.upperBound, "outcomes \(start)..<\(end) of \(sent.chunk.range)")
    next[sent.chunk.id] = end
    return start..<end
  }
}
