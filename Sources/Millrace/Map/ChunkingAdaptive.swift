/// Automatic chunking: the size of the next chunk from what the last ones have cost.
///
/// A chunk should take long against the price of sending one (some microseconds; over a network, a round trip) and be short against the whole. It starts
/// at one item, because an item may take a minute, and grows at most eightfold a measurement, because the next ones may. Towards a
/// known end, chunks are cut so that every worker has two more to come, and the last ones end together.
///
/// Where a chunk that was begun can be shared, and nobody waits for its first outcome, it need not start at one item: it is cut as
/// towards the end at once, so that small maps are few chunks.
struct AdaptiveChunk: Sendable {
  static let growth = 8
  static let maximum = 65_536
  /// Bytes that a chunk should not exceed, unless one item does.
  static let maximumBytes = 1 << 20
  /// The most items of a chunk before anything was measured, where it starts with many.
  static let maximumFirst = 256

  let width: Int
  /// Whether it starts with many items.
  let startsLarge: Bool
  /// Nanoseconds that a chunk should take.
  let target: Double
  private var nanosecondsPerItem: Double?
  private var bytesPerItem: Double?
  private var limit = 1

  init(width: Int, startsLarge: Bool = false, target: Double = 1_000_000) {
    self.width = width
    self.target = target
    self.startsLarge = startsLarge
  }

  mutating func measured(items: Int, nanoseconds: Int, bytes: Int? = nil) {
    guard items > 0 else { return }
    nanosecondsPerItem = Self.average(nanosecondsPerItem, Double(max(1, nanoseconds)) / Double(items))
    if let bytes { bytesPerItem = Self.average(bytesPerItem, Double(bytes) / Double(items)) }
    // A chunk that was small because little was left is no reason to forget what was known before.
    limit = min(Self.maximum, max(limit, items * Self.growth))
  }

  /// - Parameter remaining: items that are not yet cut, if known.
  func size(remaining: Int?) -> Int {
    guard let nanosecondsPerItem else {
      guard startsLarge, let remaining else { return 1 }
      return max(1, min(Self.maximumFirst, remaining / (2 * width)))
    }
    var size = min(Double(limit), target / nanosecondsPerItem)
    if let bytesPerItem, bytesPerItem > 0 { size = min(size, Double(Self.maximumBytes) / bytesPerItem) }
    if let remaining { size = min(size, Double(remaining) / Double(2 * width)) }
    return max(1, Int(size))
  }

  /// Follows a change in a few measurements, and a single outlier not at all far.
  private static func average(_ old: Double?, _ new: Double) -> Double {
    old.map { ($0 + new) / 2 } ?? new
  }
}
