import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A worker process's control socket, for the two that speak over it: the control thread, and whoever lets go of the last of a
/// shared object.
final class ControlLine: Sendable {
  let socket: ControlSocket

  init(_ socket: consuming ControlSocket) { self.socket = socket }
}

/// The shared objects that go to a worker process and come from it, as the pool has them.
///
/// **To the worker.** What is sent over a lane names its objects. Before it is sent, those that the worker does not have go over
/// its control socket, each once, and stay there until the last of them is gone here. An object that is named by what
/// is on its way is kept here until that was answered, so that the worker is never told to forget what it still has to find.
///
/// **From the worker.** The descriptor of each object comes again with each chunk in whose outputs it is: what is known of it is here
/// alone, and no side holds it for the other. It is kept until the chunk is done.
///
/// A new worker is another process, and knows nothing.
final class SharedTraffic: SharedCarrier, SharedHolder, @unchecked Sendable {
  // Sound: what other threads may touch is under `SharedLock`; all else belongs to the control thread.

  /// What has come of a try to send something.
  enum Sending { case sent, full, crowded, gone }

  /// Each lane has its own chunks, and the same object may be in those of several.
  private struct Origin: Hashable {
    var lane: Int
    var id: SharedID
  }

  private struct Arrival {
    var chunk: UInt64
    var object: Result<SharedBlock, any Error>
  }

  private let line: ControlLine
  private var known: Set<SharedID> = []
  /// What it is still to be told to forget.
  private var forgotten: [SharedID] = []

  /// The last try found too many descriptors on their way, wherever to.
  var isCrowded = false
  private var carried: [SharedBlock] = []
  private var arrivals: [Origin: Arrival] = [:]
  /// The lane whose answers are being read.
  private var lane = 0
  /// Up to which chunk each lane's outputs have come, once objects have.
  private var over: [Int: UInt64] = [:]
  private var hasArrivals = false
  /// Reads what the worker has said over its control socket.
  var fetch: () throws -> Void = {}

  /// As many as one message takes.
  private static let batch = ControlSocket.maximumDescriptors
  /// A worker that has more of them on their way is out of its mind.
  private static let mostArrivals = 1 << 16

  private lazy var passage = SharedPassage(self)

  init(_ line: ControlLine) { self.line = line }

  /// Decodes something that comes over a lane.
  func within<R>(lane: Int, _ body: () throws -> R) rethrows -> R {
    self.lane = lane
    return try passage.within(body)
  }

  // MARK: To the worker

  func carry(_ block: SharedBlock) throws {
    _ = try block.descriptorToSend()
    if carried.last !== block { carried.append(block) }
  }

  /// Encodes something for the worker: what comes of it, and the objects that are in it.
  func collecting<R>(_ body: () throws -> R) rethrows -> (R, [SharedBlock]) {
    let result = try passage.within(body)
    guard !carried.isEmpty else { return (result, []) }
    defer { carried = [] }
    return (result, carried)
  }

  /// Gives the worker those of the objects that it does not have. Never waits: what was sent is not sent again.
  func send(_ blocks: [SharedBlock]) throws -> Sending {
    var next = 0
    isCrowded = false
    while next < blocks.count {
      var some: [SharedBlock] = []
      let result = try SharedLock.with { () -> Sending in
        // In their order: what came back has the same number as what is to be forgotten.
        let result = forgetWithLock()
        if result != .sent { return result }
        while next < blocks.count, some.count < Self.batch {
          if known.insert(blocks[next].token.id).inserted { some.append(blocks[next]) }
          next += 1
        }
        return try some.isEmpty ? .sent : announceWithLock(some)
      }
      isCrowded = result == .crowded
      if result != .sent { return result }
      for block in some { block.isHeld(by: self) }
    }
    return .sent
  }

  private func announceWithLock(_ some: [SharedBlock]) throws -> Sending {
    KillPoint.parentSendsShared.reach()
    var result: Sending?
    defer { if result != .sent { for block in some { known.remove(block.token.id) } } }
    result = try transmit(.shared(some.map(\.token)), some.map { try $0.descriptorToSend() })
    return result!
  }

  private func transmit(_ news: ControlNews, _ descriptors: [Int32]) throws -> Sending {
    do {
      return try line.socket.trySend(news.bytes, descriptors: descriptors) ? .sent : .full
    } catch {
      switch error.code {
      case EPIPE, ECONNRESET: return .gone
      case _ where error.isForCrowd: return .crowded
      default: throw error
      }
    }
  }

  // MARK: The last of an object

  func forget(_ id: SharedID) {
    SharedLock.with {
      known.remove(id)
      forgotten.append(id)
      _ = forgetWithLock()
    }
  }

  /// Tells the worker what it was not told yet, as far as there is room: the rest goes with what is sent next.
  private func forgetWithLock() -> Sending {
    while !forgotten.isEmpty {
      let some = forgotten.prefix(1_000)
      // A worker that cannot be told is about to end.
      let result = (try? transmit(.forget(Array(some)), [])) ?? .gone
      guard result == .sent else { return result }
      forgotten.removeFirst(some.count)
    }
    return .sent
  }

  // MARK: From the worker

  /// The worker has made an object. The descriptor is owned from here on.
  func arrived(_ token: SharedToken, lane: Int, chunk: UInt64, _ descriptor: Int32) throws {
    let object = Result { try SharedRegistry.adopt(token, descriptor) }
    guard arrivals.count < Self.mostArrivals else { throw WireProblem("too many shared objects at once") }
    hasArrivals = true
    // All that names it may have been read: it was here from a chunk before, and this was not looked at.
    if chunk <= over[lane] ?? 0 { return }
    arrivals[Origin(lane: lane, id: token.id)] = Arrival(chunk: chunk, object: object)
  }

  func find(_ token: SharedToken) throws -> SharedBlock {
    let origin = Origin(lane: lane, id: token.id)
    if arrivals[origin] == nil { try fetch() }
    guard let arrival = arrivals[origin] else { throw SharedMissing(description: "a shared object that never came") }
    let block = try arrival.object.get()
    guard block.token == token else { throw SharedMissing(description: "an object that is another one here") }
    return block
  }

  /// All outputs of a lane's chunks up to this one have come.
  func ended(lane: Int, upTo chunk: UInt64) {
    guard hasArrivals else { return }
    if chunk != .max { over[lane] = chunk }
    if !arrivals.isEmpty { arrivals = arrivals.filter { $0.key.lane != lane || $0.value.chunk > chunk } }
  }
}
