import CMillrace
import Foundation
import Millrace
import MillraceIPC
import TestSupport

/// Doubles its items; at one it writes nonsense where it shares memory or a socket with the pool, and then goes on or comes
/// to an end.
struct Vandal: Worker, Codable {
  enum Deed: String, Codable, CaseIterable {
    /// The index up to which it has answered.
    case head
    /// A frame of two thousand million bytes, one of an unknown kind, and one that was never asked for.
    case endlessFrame, unknownFrame, unaskedEnd, unaskedSetUp
    /// A chunk's last frame once more.
    case replay
    /// The index up to which it has read requests.
    case tail
    /// Where a frame that is not finished ends.
    case openEnd
    /// The marker: noise, zeros, a time to come, a set-up that is not.
    case noise, zeros, future, settingUp
    case crashRecord
    /// Messages that mean nothing, ahead of the one that announces the output.
    case control
    /// A segment that is not there, for an output of a thousand million bytes.
    case hollowSegment
  }

  enum Aftermath: String, Codable, CaseIterable { case goOn, dieAtOnce, trap, hang }

  static let unlucky = 17

  var deed: Deed
  var aftermath: Aftermath
  /// How often the item may have been tried for the deed to be done still.
  var attempts = 1

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> [Int] {
    if item == Self.unlucky, context.attempt <= attempts {
      try deed.perform(seed: UInt64(context.attempt))
      switch aftermath {
      case .goOn:
        // An output that needs a segment, and so the control socket.
        if deed == .control { return [Int](repeating: item * 2, count: 1 << 17) }
      case .dieAtOnce: _exit(9)
      case .trap: fatalError("a vandal")
      case .hang: while true { usleep(1_000) }
      }
    }
    return [item * 2]
  }
}

extension Vandal.Deed {
  func perform(seed: UInt64) throws {
    var random = Noise(state: seed)
    let lane = try Loot.lane()
    let head = LaneLayout.responsesOffset + LaneLayout.headOffset
    let marker = LaneLayout.markerOffset
    switch self {
    case .head: lane.set(head, random.next())
    case .endlessFrame: try lane.append(kind: 12, length: 1 << 31)
    case .unknownFrame: try lane.append(kind: 999)
    case .unaskedEnd: try lane.append(kind: 16)
    case .unaskedSetUp: for _ in 0..<3 { try lane.append(kind: 10, b: 1) }
    case .replay: try lane.append(kind: 14, b: 1)
    case .tail: lane.set(LaneLayout.requestsOffset + LaneLayout.tailOffset, random.next())
    case .openEnd: lane.set(LaneLayout.responsesOffset + LaneLayout.openEndOffset, random.next())
    case .noise: for place in 0..<5 { lane.set(marker + 8 * place, random.next()) }
    case .zeros: for place in 0..<5 { lane.set(marker + 8 * place, UInt64(0)) }
    case .future: lane.set(marker + 16, UInt64.max / 2)
    case .settingUp: lane.set(marker, UInt32(1))
    case .crashRecord: for place in 0..<8 { lane.set(LaneLayout.crashRecordOffset + 8 * place, random.next()) }
    case .control: for _ in 0..<5 { try Loot.say((0..<40).map { _ in UInt8(truncatingIfNeeded: random.next()) }) }
    case .hollowSegment:
      let memory = try SharedMemory(size: 1 << 38)
      try Loot.announce(77, memory.descriptor)
      try lane.append(kind: 12, flags: 2, a: 1, b: lane.chunk, payload: [77, 1 << 37])
    }
  }
}

/// Numbers that are the same each time.
private struct Noise: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 { splitMix64(&state) }
}

/// What a worker finds in its process that it shares with the pool.
private enum Loot {
  struct Missing: Error {}

  /// The memory of its lane: the header page, and behind it the rings, each twice.
  struct LaneMemory {
    let base: UnsafeMutableRawPointer

    func set<Word: BitwiseCopyable>(_ offset: Int, _ value: Word) {
      base.storeBytes(of: value, toByteOffset: offset, as: Word.self)
    }

    private func get(_ offset: Int) -> UInt64 { base.load(fromByteOffset: offset, as: UInt64.self) }

    /// The chunk that runs.
    var chunk: UInt64 { self.get(LaneLayout.markerOffset + 8) }

    /// Answers behind the worker's back: its own next answer overwrites it, if it goes on that far.
    func append(
      kind: UInt16, flags: UInt16 = 0, length: UInt32? = nil, a: UInt32 = 0, b: UInt64 = 0, payload: [UInt64] = []
    ) throws {
      let head = LaneLayout.responsesOffset + LaneLayout.headOffset
      let index = get(head)
      let requests = Int(get(LaneLayout.requestCapacityOffset))
      let capacity = get(LaneLayout.responseCapacityOffset)
      let place = SharedMemory.pageSize + 2 * requests + Int(index & (capacity - 1))
      set(place, length ?? UInt32(8 * payload.count))
      set(place + 4, kind)
      set(place + 6, flags)
      set(place + 8, a)
      set(place + 16, b)
      set(place + 24, UInt64(0))
      for (number, word) in payload.enumerated() { set(place + FrameHeader.size + 8 * number, word) }
      millrace_store_release_u64(
        (base + head).assumingMemoryBound(to: UInt64.self), index + UInt64(FrameHeader.size + 8 * payload.count))
    }
  }

  static func lane() throws -> LaneMemory {
    let maps = try text(of: "/proc/self/maps")
    // The first piece of it is the header, with the first view of the request ring.
    guard let line = maps.split(separator: "\n").first(where: { $0.contains("memfd:millrace-lane") }),
      let start = line.split(separator: "-").first.flatMap({ UInt(String($0), radix: 16) }),
      let base = UnsafeMutableRawPointer(bitPattern: start)
    else { throw Missing() }
    return LaneMemory(base: base)
  }

  /// All of it: such files tell no length, and come piece by piece.
  private static func text(of path: String) throws -> String {
    let file = Descriptor(owning: open(path, O_RDONLY | O_CLOEXEC))
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(file.rawValue, &piece, piece.count)
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += piece.prefix(count)
    }
  }

  /// The control socket is the only one that a worker has.
  private static func control() throws -> Int32 {
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
      if target?.hasPrefix("socket:") == true, let descriptor = Int32(name) { return descriptor }
    }
    throw Missing()
  }

  static func say(_ bytes: [UInt8], _ descriptors: [Int32] = []) throws {
    let error = millrace_socket_send(try control(), bytes, bytes.count, descriptors, descriptors.count, 1)
    if error != 0 { throw SystemCallError("sendmsg", error) }
  }

  static func announce(_ id: UInt32, _ descriptor: Int32) throws {
    try say(ControlNews.segment(lane: 0, id: id).bytes, [descriptor])
  }
}
