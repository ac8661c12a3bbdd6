/// A job's chunking as the dispatcher asks for it.
package struct ChunkSizer {
  private let chunking: Chunking
  private var plan: ChunkPlan?

  package init(_ chunking: Chunking) { self.chunking = chunking }

  /// The chunking was validated at submission; one that needs a length which nobody knows is automatic.
  package mutating func start(total: Int?, width: Int) {
    plan =
      (try? ChunkPlan(chunking, total: total, width: width))
      ?? (try? ChunkPlan(.automatic, total: total, width: width))
  }

  /// The size of the next chunk; 0 behind the declared end.
  ///
  /// Where the size is ours to choose it is at most `share`.
  func next(atMost limit: Int, share: Int) -> Int {
    guard let size = plan?.upcoming else { return 0 }
    return min(size, limit, chunking == .automatic ? share : .max)
  }

  /// The largest size that a chunk may have.
  package var largest: Int { plan?.largest ?? 0 }

  mutating func took(_ count: Int) { plan?.took(count) }

  mutating func measured(items: Int, nanoseconds: UInt64, bytes: Int?) {
    plan?.measured(items: items, nanoseconds: Int(clamping: nanoseconds), bytes: bytes)
  }
}
