import Millrace
import MillraceIPC

/// A worker's reader of a chunk: its head, what is to go around it, its items.
///
/// Input: whether anything goes around it, then the payload.
struct ChunkTarget: FuzzTarget {
  let name = "chunk"

  /// Goes around nothing.
  struct Idle: SentSurroundings {
    let bytes: [UInt8]
    var surroundsItems: Bool { false }
    var baggage: Baggage { Baggage(Self.self, bytes) ?? Baggage() }

    init(_ bytes: [UInt8]) { self.bytes = bytes }
    init(bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes) }

    func around<Result>(_ body: () async throws -> Result) async rethrows -> Result { try await body() }
    func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd { await body() }
  }

  func valid(_ random: inout FuzzRandom) -> [[UInt8]] {
    let hasBaggage = random.chance(80)
    let baggage = hasBaggage ? Idle(random.bytes(random.below(70))).baggage.block : []
    return [[hasBaggage ? 1 : 0], random.bytes(32), baggage, random.bytes(random.below(60))]
  }

  func read(_ bytes: [UInt8]) throws {
    guard let first = bytes.first else { throw Refusal() }
    let flags: FrameFlags = first & 1 == 1 ? .baggage : []
    try bytes.dropFirst().withUnsafeBytes { payload in
      let request = try ChunkRequest(.chunk(1, of: 2, items: 3, flags), payload)
      let (items, baggage) = (request.items, request.baggage)
      try promise((baggage == nil) == flags.isEmpty, "what goes around it was made up, or is not there")
      let taken = 32 + (baggage.map { 16 + ($0.count + 15) / 16 * 16 } ?? 0)
      try promise(items.count == payload.count - taken, "\(items.count) bytes of items in \(payload.count)")
      guard let baggage else { return }
      let surroundings = try Baggage.unpack(baggage)
      let again = try promised("what was unpacked") { try unpacked(surroundings.baggage.block) }
      try promise(type(of: again) == type(of: surroundings), "it has become another type")
      try promise((again as? Idle)?.bytes == (surroundings as? Idle)?.bytes, "its bytes have changed")
    }
  }

  private func unpacked(_ block: [UInt8]) throws -> any ChunkSurroundings {
    let payload = [UInt8](repeating: 0, count: 32) + block
    return try payload.withUnsafeBytes {
      let request = try ChunkRequest(.chunk(1, of: 2, items: 0, .baggage), $0)
      return try Baggage.unpack(request.baggage!)
    }
  }
}
