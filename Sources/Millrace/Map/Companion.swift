import MillraceIPC

// Who wants to go along with a pool's maps: traces. Nobody does unless somebody has asked for it, and then no map has a companion.

/// Makes a companion for each map of a pool.
package protocol PoolCompanion: AnyObject, Sendable {
  /// A map is about to begin. Called in the task of its caller, whose task-local values are there to be seen, and with no lock held.
  func companion(of map: MapDescription) -> any MapCompanion
}

/// What is known of a map before it begins.
package struct MapDescription: Sendable {
  /// The type of its worker.
  package let worker: String
  /// What the pool's slots are made of.
  package let backend: String
  /// How many items it has, if that is known.
  package let total: Int?
}

/// Goes along with one map.
package protocol MapCompanion: AnyObject, Sendable {
  /// The map has begun, and is this job. Called under the pool's lock, before any event of the job: no code of a user's runs here.
  func belongs(to job: JobID)
  /// The map has not begun.
  func refused(_ error: any Error)
  /// A chunk is about to run here, or to be sent to where it runs: what goes around it. With no lock held.
  func surroundings(ofChunk id: Int) -> any ChunkSurroundings
}

/// Goes around the items of a chunk, in the process in which they run.
package protocol ChunkSurroundings: Sendable {
  /// Whether it goes around each of them as well, so that they are run one by one.
  var surroundsItems: Bool { get }
  /// As it travels to another process.
  var baggage: Baggage { get }
  func around<Result>(_ body: () async throws -> Result) async rethrows -> Result
  func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd
}

/// What makes its surroundings in a worker process, from bytes that were made in the program.
package protocol SentSurroundings: ChunkSurroundings {
  init(bytes: UnsafeRawBufferPointer) throws
}

/// Surroundings on their way to a worker process: the type that is to make them there, and bytes for it.
package struct Baggage: Sendable {
  /// The bytes as they stand in a chunk's payload: their number, and themselves. Their end is aligned as items are.
  package let block: [UInt8]

  private static let alignment = 16

  /// Nothing.
  package init() { block = [] }

  /// Nil if the type is not found by its name in a worker process.
  package init?(_ type: any SentSurroundings.Type, _ bytes: [UInt8]) {
    guard let reference = TypeReference(type) else { return nil }
    var writer = ByteWriter()
    reference.bytes.withUnsafeBytes { Records.append($0, to: &writer) }
    bytes.withUnsafeBytes { Records.append($0, to: &writer) }
    self.init(packed: Array(writer.bytes))
  }

  /// What has come before a chunk's items, on its way to another process.
  init(packed bytes: [UInt8]) {
    var block = [UInt8](repeating: 0, count: Self.alignment)
    block.withUnsafeMutableBytes { $0.storeBytes(of: UInt64(bytes.count), as: UInt64.self) }
    block += bytes
    block += [UInt8](repeating: 0, count: (Self.alignment - bytes.count % Self.alignment) % Self.alignment)
    self.block = block
  }

  /// Takes what stands before a chunk's items.
  static func take(from payload: inout UnsafeRawBufferPointer) throws -> UnsafeRawBufferPointer {
    guard payload.count >= alignment else { throw WireProblem("baggage without its length") }
    let size = payload.loadUnaligned(as: UInt64.self)
    let room = payload.count - alignment
    guard size <= UInt64(room) else { throw WireProblem("\(size) bytes of baggage in \(room)") }
    let padded = (Int(size) + alignment - 1) / alignment * alignment
    guard padded <= room else { throw WireProblem("baggage without its end") }
    let bytes = UnsafeRawBufferPointer(rebasing: payload[alignment..<alignment + Int(size)])
    payload = UnsafeRawBufferPointer(rebasing: payload[(alignment + padded)...])
    return bytes
  }

  /// What is to go around the chunk.
  package static func unpack(_ bytes: UnsafeRawBufferPointer) throws -> any ChunkSurroundings {
    var rest = bytes
    let reference = TypeReference(bytes: Array(try Records.next(&rest).bytes))
    guard let type = reference.resolve() as? any SentSurroundings.Type else {
      throw WireProblem("what goes around a chunk is not in this process")
    }
    return try type.init(bytes: try Records.next(&rest).bytes)
  }
}

/// Who goes along with a pool: the one that makes companions now, and all that has to live as long as the pool.
package final class Company: Sendable {
  private struct State {
    var current: (any PoolCompanion)?
    var kept: [any AnyObject & Sendable] = []
    var joins: Follower?
    var followers: [Follower] = []
  }
  /// Goes along with a pool that is made for a run on this one: stages with slots of their own.
  package typealias Follower = @Sendable (WorkerPool) -> Void
  private let state = Lock(State())

  package init() {}

  /// Maps that begin from now on have a companion of this one's; `follows` joins those of pools that are made for runs on this one.
  package func join(_ companion: any PoolCompanion, follows: @escaping Follower) {
    // What was there before goes on with the maps that it has.
    state.withLock { state in
      if let before = state.current { state.kept.append(before) }
      state.current = companion
      state.joins = follows
    }
  }

  /// Goes along with pools that are made for runs on this one, from now on.
  package func follow(_ follower: @escaping Follower) { state.withLock { $0.followers.append(follower) } }

  /// A pool was made for a run on this one.
  func meets(_ pool: WorkerPool) {
    let followers = state.withLock { $0.followers + ($0.joins.map { [$0] } ?? []) }
    for follower in followers { follower(pool) }
  }

  package func keep(_ object: any AnyObject & Sendable) { state.withLock { $0.kept.append(object) } }

  var current: (any PoolCompanion)? { state.withLock { $0.current } }
}
