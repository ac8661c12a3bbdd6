/// A job's chunking as the dispatcher asks for it.
package struct ChunkSizer {
  private let chunking: MapOptions.Chunking
  private var plan: ChunkPlan?

  package init(_ chunking: MapOptions.Chunking) { self.chunking = chunking }

  /// The chunking was validated at submission; one that needs a length which nobody knows is automatic.
  package mutating func start(total: Int?, width: Int, startsLarge: Bool = false, chunkTime: UInt64 = 1_000_000) {
    func made(_ chunking: MapOptions.Chunking) -> ChunkPlan? {
      try? ChunkPlan(chunking, total: total, width: width, startsLarge: startsLarge, chunkTime: chunkTime)
    }
    plan = made(chunking) ?? made(.automatic)
  }

  /// Whether sizes are ours to choose.
  var isAutomatic: Bool { chunking == .automatic }

  /// The size of the next chunk; 0 behind the declared end.
  ///
  /// Where the size is ours to choose it is at most `share`.
  func next(atMost limit: Int, share: Int) -> Int {
    guard let size = plan?.upcoming else { return 0 }
    return min(size, limit, chunking == .automatic ? share : .max, Self.most)
  }

  /// No chunk holds more, whatever was asked for: an input that is computed, and a number without meaning, would else fill
  /// the memory before anything is run.
  static let most = 1 << 20

  /// The largest size that a chunk may have.
  package var largest: Int { min(plan?.largest ?? 0, Self.most) }

  /// How many chunks have the size of the next one, as far as is known.
  var alike: Int { plan?.alike ?? 1 }

  mutating func took(_ run: ChunkRun) { plan?.took(run.size, times: run.chunks) }

  mutating func measured(items: Int, nanoseconds: UInt64, overhead: UInt64?, bytes: Int?) {
    plan?.measured(
      items: items, nanoseconds: Int(clamping: nanoseconds), overhead: overhead.map { Int(clamping: $0) }, bytes: bytes)
  }
}

/// Chunks of one size, behind each other.
struct ChunkRun {
  let size: Int
  var chunks = 1

  var items: Int { size * chunks }
}
