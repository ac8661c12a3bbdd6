/// Answers, chunk after chunk, how many items the next one should hold.
///
/// A value without clock or input.
struct ChunkPlan: Sendable {
  /// The length of the input as declared, or known.
  ///
  /// Nothing is cut beyond it; an input that ends earlier simply ends.
  let total: Int?
  /// Items and chunks cut so far.
  private(set) var itemsCut = 0
  private(set) var chunksCut = 0

  private var pace: Pace

  private enum Pace {
    case fixed(ChunkingRule)
    case adaptive(AdaptiveChunk)
  }

  /// - Parameters:
  ///   - total: the number of items, if known.
  ///   - width: the number of workers.
  ///   - startsLarge: whether automatic chunks start with many items.
  ///   - chunkTime: how many nanoseconds an automatic chunk should take.
  /// - Throws: ``InvalidOption`` if `chunking` is not valid, or needs a number of items that is not known.
  init(
    _ chunking: MapOptions.Chunking, total: Int?, width: Int, startsLarge: Bool = false, chunkTime: UInt64 = 1_000_000
  ) throws(InvalidOption) {
    try chunking.validate()
    self.total = total
    let count: Int
    switch chunking.rule {
    case .automatic:
      pace = .adaptive(AdaptiveChunk(width: width, startsLarge: startsLarge, target: Double(chunkTime)))
      return
    case .items(let size):
      pace = .fixed(.items(size))
      return
    case .fraction(let size):
      pace = .fixed(.size(size))
      return
    case .count(let chunks): count = chunks
    case .perWorker(let chunks):
      let (product, overflow) = chunks.multipliedReportingOverflow(by: width)
      count = overflow ? .max : product
    }
    guard let total else {
      throw InvalidOption(
        name: "number of items", value: "unknown", allowed: "known, or declared, for a chunking by number of chunks")
    }
    pace = .fixed(.sharing(total, count: count))
  }

  /// The size of the next chunk, or nil behind the declared end.
  mutating func next() -> Int? {
    guard let size = upcoming else { return nil }
    took(size)
    return size
  }

  /// Cuts chunks of this size, which the caller may have made smaller than they were to be.
  mutating func took(_ size: Int, times count: Int = 1) {
    // At most once is it more than any input can have.
    let (items, overflow) = itemsCut.addingReportingOverflow(size * count)
    itemsCut = overflow ? .max : items
    chunksCut += count
  }

  /// What `next` would give.
  var upcoming: Int? {
    let remaining = total.map { $0 - itemsCut }
    if let remaining, remaining <= 0 { return nil }
    var size =
      switch pace {
      case .fixed(let rule): rule.size(of: chunksCut)
      case .adaptive(let chunk): chunk.size(remaining: remaining)
      }
    if let remaining { size = min(size, remaining) }
    return size
  }

  /// How many chunks from here on have the size of the next one, as far as is known.
  var alike: Int {
    guard case .fixed(.items(let size)) = pace else { return 1 }
    return total.map { max(1, ($0 - itemsCut) / size) } ?? .max
  }

  /// Takes in what a finished chunk has cost; only automatic chunking minds.
  mutating func measured(items: Int, nanoseconds: Int, overhead: Int? = nil, bytes: Int? = nil) {
    guard case .adaptive(var chunk) = pace else { return }
    chunk.measured(items: items, nanoseconds: nanoseconds, overhead: overhead, bytes: bytes)
    pace = .adaptive(chunk)
  }

  /// The largest size that a chunk may have, from here on as far as is known.
  var largest: Int {
    switch pace {
    case .fixed(.items(let size)): size
    case .fixed(let rule): rule.size(of: 0)
    case .adaptive(let chunk): chunk.size(remaining: total.map { $0 - itemsCut })
    }
  }
}
