import MillraceIPC

/// A worker of another program's pool that runs on a pool of this one: what an agent makes of the chunks that it leases.
///
/// ```
///   chunk, as a frame ─▶ items ─▶ a map on the pool here ─▶ outputs and failures ─▶ frames, as a worker of that pool would answer
/// ```
///
/// Crashes, blame and limits on time are the pool's here. Whether an item is tried again is decided where its map is.
package protocol RelayedWorker: Sendable {
  /// Runs the chunks of frames, and answers each in full, in their order. Those that follow each other in their map run at the same time.
  ///
  /// - Throws: what ends the whole map here: that no worker could be set up (``WorkerPoolError``), or that the task was cancelled.
  func run(_ frames: [RemoteFrame], on pool: WorkerPool, _ conditions: RelayConditions) async throws -> [RemoteFrame]

  /// Tears the instances here down.
  func tearDown(on pool: WorkerPool) async
}

/// How a chunk is run that has come from elsewhere.
package struct RelayConditions: Sendable {
  /// How long an item may take.
  package var itemTimeout: Duration?
  /// How long the set-up of a worker may take that is not there yet.
  package var setUpTimeout: Duration?
  /// Whoever had the chunks before is gone, perhaps for one of their items: they are run one at a time. Called before each, with the place of
  /// its frame and its offset there; gives the reason why it is not to be run at all.
  package var apart: (@Sendable (_ frame: Int, _ offset: Int) async throws -> ItemFailure.Cause?)?

  package init(
    itemTimeout: Duration? = nil, setUpTimeout: Duration? = nil,
    apart: (@Sendable (_ frame: Int, _ offset: Int) async throws -> ItemFailure.Cause?)? = nil
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

  func run(
    _ frames: [RemoteFrame], on pool: WorkerPool, _ conditions: RelayConditions
  ) async throws -> [RemoteFrame] {
    var answers: [RemoteFrame] = []
    var next = 0
    while next < frames.count {
      let first = try chunk(frames[next])
      var chunks = [first]
      while conditions.apart == nil, next + chunks.count < frames.count, let last = chunks.last {
        let other = try chunk(frames[next + chunks.count])
        guard other.follows(last) else { break }
        chunks.append(other)
      }
      // What they took together, shared by their items.
      let time =
        chunks.count > 1
        ? try await run(chunks, on: pool, conditions) : try await run(first, at: next, on: pool, conditions)
      let count = max(1, chunks.reduce(0) { $0 + $1.count })
      for chunk in chunks {
        chunk.answer.done(items: chunk.count, nanoseconds: time * UInt64(chunk.count) / UInt64(count))
        answers += chunk.answer.frames
      }
      next += chunks.count
    }
    return answers
  }

  /// Runs one chunk: around what could not be read of it, and one item at a time if that is asked for.
  ///
  /// - Returns: what the items took, in nanoseconds; so do the others.
  private func run(
    _ chunk: Chunk, at place: Int, on pool: WorkerPool, _ conditions: RelayConditions
  ) async throws -> UInt64 {
    var time: UInt64 = 0
    let companion = try chunk.baggage.map { try RelayedCompanion($0, on: pool) }
    // The offset in the chunk, and how many before it could be read.
    var (next, read) = (0, 0)
    while next < chunk.count {
      if let error = chunk.unread[next] {
        chunk.answer.failed(next, .undecodable(error))
        next += 1
        continue
      }
      if let cause = try await conditions.apart?(place, next) {
        chunk.answer.failed(next, cause)
        next += 1
        read += 1
        continue
      }
      var end = next + 1
      if conditions.apart == nil { while end < chunk.count, chunk.unread[end] == nil { end += 1 } }
      let (offset, count) = (next, end - next)
      let items = count == chunk.items.count ? chunk.items : Array(chunk.items[read..<read + count])
      time += try await run(items, of: count, chunk.head, offset: offset, companion, on: pool, conditions) { _, _ in
        (chunk.answer, offset)
      }
      next = end
      read += count
    }
    return time
  }

  /// Runs chunks that follow each other, of which all could be read, as one map and one chunk of it: what that costs is shared by them. They
  /// travel together because they are short; and what has ended of a chunk is kept, whatever comes of the rest.
  private func run(_ chunks: [Chunk], on pool: WorkerPool, _ conditions: RelayConditions) async throws -> UInt64 {
    var starts: [Int] = []
    var items: [W.Input] = []
    items.reserveCapacity(chunks.reduce(0) { $0 + $1.count })
    for chunk in chunks {
      starts.append(items.count)
      items += chunk.items
    }
    var place = 0
    return try await run(items, of: items.count, chunks[0].head, offset: 0, nil, on: pool, conditions) { index, end in
      while place + 1 < starts.count, starts[place + 1] <= index { place += 1 }
      while starts[place] > index { place -= 1 }
      if place + 1 < starts.count { end = min(end, starts[place + 1]) }
      return (chunks[place].answer, -starts[place])
    }
  }

  /// What a frame asks for, and what is said about it.
  private struct Chunk {
    let count: Int
    /// Those that could be read.
    let items: [W.Input]
    /// Why the others could not, by offset.
    let unread: [Int: any Error]
    let head: ChunkHead
    /// What goes around its items.
    let baggage: [UInt8]?
    let answer: RelayedAnswer<W.Output>

    /// Whether it is the same to its items if they run in one map with those before.
    func follows(_ other: Chunk) -> Bool {
      head.first == other.head.first + Int64(other.count) && head.attempt == other.head.attempt
        && head.seed == other.head.seed && unread.isEmpty && other.unread.isEmpty && baggage == nil
        && other.baggage == nil
    }
  }

  private func chunk(_ frame: RemoteFrame) throws -> Chunk {
    try frame.payload.withUnsafeBytes { payload in
      let request = try ChunkRequest(frame.header, payload)
      var unread: [Int: any Error] = [:]
      let items = try request.isPacked ? packedItems(of: request) : items(of: request, &unread)
      return Chunk(
        count: request.count, items: items, unread: unread, head: request.head,
        baggage: request.baggage.map { Array($0) }, answer: RelayedAnswer(frame.header.chunk, output))
    }
  }

  /// Items that lie as they do in memory, copied as a whole.
  private func packedItems(of request: ChunkRequest) throws -> [W.Input] {
    let size = request.count * (input.fixedStride ?? 0)
    // They have no lengths of their own: less than was said would be read from behind it.
    guard input.fixedStride != nil, request.items.count >= size, request.count <= ChunkSizer.most else {
      throw WireProblem("\(request.items.count) bytes for \(request.count) items")
    }
    return [W.Input](unsafeUninitializedCapacity: request.count) { items, count in
      if let source = request.items.baseAddress, let target = items.baseAddress {
        UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: size)
      }
      count = request.count
    }
  }

  private func items(of request: ChunkRequest, _ unread: inout [Int: any Error]) throws -> [W.Input] {
    let reader = ItemReader(input)
    reader.begin(request)
    var items: [W.Input] = []
    for offset in 0..<request.count {
      if let error = try reader.read() { unread[offset] = error } else { items.append(reader.place.pointee) }
    }
    return items
  }

  /// Runs consecutive items as a map, in chunks of so many; the first of them is at this offset of the chunk with this head.
  ///
  /// - Parameter about: who is to hear of the item at an index, what is added to the index there, and up to which index, at most the given
  ///   end, that holds.
  private func run(
    _ items: [W.Input], of size: Int, _ head: ChunkHead, offset: Int, _ companion: RelayedCompanion?,
    on pool: WorkerPool, _ conditions: RelayConditions,
    about: (_ index: Int, _ end: inout Int) -> (answer: RelayedAnswer<W.Output>, shift: Int)
  ) async throws -> UInt64 {
    var request = MapRequest(
      options: MapOptions(
        chunking: .size(size),
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
        let outputs = unsafeDowncast(outputs, to: OutputBuffer<W.Output>.self)
        var index = segment.range.lowerBound
        while index < segment.range.upperBound {
          var end = segment.range.upperBound
          let (answer, shift) = about(index, &end)
          answer.outputs(outputs, index..<end, from: shift)
          index = end
        }
      case .failure(let failure):
        // None of it was run: that is nothing to say about items.
        if case .setUpFailed(let error) = failure.cause {
          throw WorkerPoolError(.setUpFailed, "no worker could be set up", underlying: error)
        }
        var end = failure.index + 1
        let (answer, shift) = about(failure.index, &end)
        answer.failed(failure.index + shift, failure)
      }
    }
    return cursor.worked
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
    if let stride = coding.fixedStride {
      let bytes = UnsafeRawBufferPointer(
        start: outputs.storage + (range.lowerBound - outputs.base), count: range.count * stride)
      return withExtendedLifetime(outputs) {
        frames.append(RemoteFrame(.outputs(range.count, of: chunk, .packed), Array(bytes)))
      }
    }
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
