import MillraceIPC

/// A worker of another program's pool that runs on a pool of this one: what an agent makes of the chunks that it leases.
///
/// ```
///   chunk, as a frame ─▶ items ─▶ a map on the pool here ─▶ outputs and failures ─▶ frames, as a worker of that pool would answer
/// ```
///
/// Crashes, blame and limits on time are the pool's here. Whether an item is tried again is decided where its map is.
package protocol RelayedWorker: Sendable {
  /// Runs the chunk of a frame, and answers it in full.
  ///
  /// - Throws: what ends the whole map here: that no worker could be set up (``WorkerPoolError``), or that the task was cancelled.
  func run(_ frame: RemoteFrame, on pool: WorkerPool, _ conditions: RelayConditions) async throws -> [RemoteFrame]

  /// Tears the instances here down.
  func tearDown(on pool: WorkerPool) async
}

/// How a chunk is run that has come from elsewhere.
package struct RelayConditions: Sendable {
  /// How long an item may take.
  package var itemTimeout: Duration?
  /// How long the set-up of a worker may take that is not there yet.
  package var setUpTimeout: Duration?
  /// Whoever had the chunk before is gone, perhaps for one of its items: they are run one at a time. Called before each, with its
  /// offset; gives the reason why it is not to be run at all.
  package var apart: (@Sendable (Int) async throws -> ItemFailure.Cause?)?

  package init(
    itemTimeout: Duration? = nil, setUpTimeout: Duration? = nil,
    apart: (@Sendable (Int) async throws -> ItemFailure.Cause?)? = nil
  ) {
    self.itemTimeout = itemTimeout
    self.setUpTimeout = setUpTimeout
    self.apart = apart
  }
}

/// The worker that an announcement describes.
package func relayedWorker(_ announcement: [UInt8]) throws -> any RelayedWorker {
  func make<W: Worker>(_ type: W.Type, _ configuration: UnsafeRawBufferPointer) throws -> any RelayedWorker {
    try TypedRelayedWorker<W>(configuration)
  }
  return try announcement.withUnsafeBytes { bytes in
    var rest = bytes
    let type = try announcedType(&rest)
    return try make(type, Records.next(&rest).bytes)
  }
}

struct TypedRelayedWorker<W: Worker>: RelayedWorker {
  private let worker: W
  private let input: PayloadCoding<W.Input>
  private let output: PayloadCoding<W.Output>

  init(_ configuration: UnsafeRawBufferPointer) throws {
    worker = try decodedWorker(W.self, configuration)
    input = try Payload.coding(for: W.Input.self, standIn: RemoteError.self)
    output = try Payload.coding(for: W.Output.self, standIn: RemoteError.self)
  }

  func tearDown(on pool: WorkerPool) async { _ = try? await pool.tearDown(worker) }

  func run(_ frame: RemoteFrame, on pool: WorkerPool, _ conditions: RelayConditions) async throws -> [RemoteFrame] {
    let (items, head, baggage) = try items(of: frame)
    let companion = try baggage.map { try RelayedCompanion($0, on: pool) }
    let answer = RelayedAnswer(frame.header.chunk, output)
    let begun = MonotonicTime.now
    var next = 0
    while next < items.count {
      if case .failure(let error) = items[next] {
        answer.failed(next, .undecodable(error))
        next += 1
        continue
      }
      if let cause = try await conditions.apart?(next) {
        answer.failed(next, cause)
        next += 1
        continue
      }
      let most = conditions.apart == nil ? items.count : next + 1
      let run = items[next..<most].prefix { if case .success = $0 { true } else { false } }.compactMap { try? $0.get() }
      try await self.run(run, from: next, head, companion, on: pool, conditions, answer)
      next += run.count
    }
    answer.done(items: items.count, nanoseconds: MonotonicTime.now &- begun)
    return answer.frames
  }

  /// The items of a chunk, or why one cannot be read, and what goes around them.
  private func items(of frame: RemoteFrame) throws -> ([Result<W.Input, any Error>], ChunkHead, [UInt8]?) {
    try frame.payload.withUnsafeBytes { payload in
      let request = try ChunkRequest(frame.header, payload)
      let reader = ItemReader(input)
      reader.begin(request)
      var items: [Result<W.Input, any Error>] = []
      for _ in 0..<request.count {
        // What lies in place has no lengths of its own: less than was said would be read from behind it.
        let isThere = request.items.count >= request.count * reader.stride && request.count <= ChunkSizer.most
        guard !request.isPacked || isThere else {
          throw WireProblem("\(request.items.count) bytes for \(request.count) items")
        }
        if let error = try reader.read() {
          items.append(.failure(error))
        } else {
          items.append(.success(reader.place.pointee))
        }
      }
      return (items, request.head, request.baggage.map { Array($0) })
    }
  }

  /// Runs consecutive items, the first of them at this offset of the chunk, as a map.
  private func run(
    _ items: [W.Input], from offset: Int, _ head: ChunkHead, _ companion: RelayedCompanion?, on pool: WorkerPool,
    _ conditions: RelayConditions, _ answer: RelayedAnswer<W.Output>
  ) async throws {
    var request = MapRequest(
      options: MapOptions(
        chunking: .size(items.count),
        timeouts: MapOptions.Timeouts(item: conditions.itemTimeout, setUp: conditions.setUpTimeout),
        count: items.count, seed: head.seed),
      onFailure: .skip, isPulled: true)
    request.origin.index = Int(head.first) + offset
    request.origin.attempt = Int(head.attempt)
    request.origin.companion = companion
    let cursor = pool.cursor(ItemSource(items), worker, request)
    while let segment = try await cursor.next() {
      switch segment.content {
      case .outputs(let outputs):
        answer.outputs(unsafeDowncast(outputs, to: OutputBuffer<W.Output>.self), segment.range, from: offset)
      case .failure(let failure):
        // None of it was run: that is nothing to say about items.
        if case .setUpFailed(let error) = failure.cause {
          throw WorkerPoolError(.setUpFailed, "no worker could be set up", underlying: error)
        }
        answer.failed(offset + failure.index, failure)
      }
    }
  }
}

/// Has what came with a chunk go around its items where they run, in whatever chunks that is.
private final class RelayedCompanion: MapCompanion {
  private let surroundings: any ChunkSurroundings

  init(_ baggage: [UInt8], on pool: WorkerPool) throws {
    surroundings =
      pool.kind.abilities.contains(.sharesMemory)
      ? try baggage.withUnsafeBytes { try Baggage.unpack($0) } : PassedOn(baggage: Baggage(packed: baggage))
  }

  func belongs(to job: JobID) {}
  func refused(_ error: any Error) {}
  func surroundings(ofChunk id: Int) -> any ChunkSurroundings { surroundings }

  /// Where items run in processes of their own, what goes around them is made there, from the same bytes.
  private struct PassedOn: ChunkSurroundings {
    let baggage: Baggage
    var surroundsItems: Bool { false }

    func around<Result>(_ body: () async throws -> Result) async rethrows -> Result { try await body() }
    func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd { await body() }
  }
}

/// What is said about one chunk.
private final class RelayedAnswer<Output> {
  private(set) var frames: [RemoteFrame] = []
  private let chunk: UInt64
  private let coding: PayloadCoding<Output>

  init(_ chunk: UInt64, _ coding: PayloadCoding<Output>) { (self.chunk, self.coding) = (chunk, coding) }

  func outputs(_ outputs: OutputBuffer<Output>, _ range: Range<Int>, from offset: Int) {
    var writer = ByteWriter()
    var count = 0
    func flush() {
      if count > 0 { frames.append(RemoteFrame(.outputs(count, of: chunk), Array(writer.bytes))) }
      writer.removeAll()
      count = 0
    }
    for index in range {
      let start = writer.count
      writer.append(UInt64(0))
      do {
        try coding.encode(outputs[index], into: &writer)
        writer.replace(at: start, with: UInt64(writer.count - start - 8))
        Records.pad(&writer)
        count += 1
      } catch {
        writer.truncate(to: start)
        flush()
        failed(offset + index, .undecodable(error.forUsers))
      }
    }
    flush()
  }

  func failed(_ offset: Int, _ cause: ItemFailure.Cause) {
    failed(offset, ItemFailure(index: 0, slot: 0, attempt: 1, cause: cause))
  }

  func failed(_ offset: Int, _ failure: ItemFailure) {
    var writer = ByteWriter()
    try? WireError(failure).encode(into: &writer)
    frames.append(RemoteFrame(.itemFailed(offset, of: chunk, .relayed), Array(writer.bytes)))
  }

  func done(items: Int, nanoseconds: UInt64) {
    frames.append(RemoteFrame(.chunkDone(chunk, items: items, nanoseconds: nanoseconds)))
  }
}
