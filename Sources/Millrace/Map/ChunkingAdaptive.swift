/// Automatic chunking: the size of the next chunk from what the last ones have cost.
///
/// A chunk should take long against the price of sending one (some microseconds; over a network, a round trip) and be short against the whole. It starts
/// at one item, because an item may take a minute, and grows at most eightfold a measurement, because the next ones may. Towards a
/// known end, chunks are cut so that every worker has two more to come, and the last ones end together. None takes less than it costs to send
/// one, for then that costs more than what is sent: some microseconds, or what is known of it.
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
  /// Nanoseconds that a chunk takes beside its items at the least, wherever it is run.
  static let leastOverhead = 5_000.0
  /// What a chunk takes beside its items counts as so many times what it should take, at the most.
  static let mostTargets = 10.0

  let width: Int
  /// Whether it starts with many items.
  let startsLarge: Bool
  /// Nanoseconds that a chunk should take.
  let target: Double
  private var nanosecondsPerItem: Double?
  private var bytesPerItem: Double?
  /// Nanoseconds that a chunk takes beside its items.
  private var overhead: Double?
  private var limit = 1

  init(width: Int, startsLarge: Bool = false, target: Double = 1_000_000) {
    self.width = width
    self.target = target
    self.startsLarge = startsLarge
  }

  /// - Parameter overhead: how many nanoseconds the chunk took beside its items; nil: nobody minds.
  mutating func measured(items: Int, nanoseconds: Int, overhead: Int? = nil, bytes: Int? = nil) {
    guard items > 0 else { return }
    // Where others keep those busy who are to run it, it may have waited for any time.
    if let overhead {
      self.overhead = Self.average(self.overhead, min(Double(overhead), Self.mostTargets * target))
    }
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
    var most = Double(limit)
    if let bytesPerItem, bytesPerItem > 0 { most = min(most, Double(Self.maximumBytes) / bytesPerItem) }
    let least = max(overhead ?? 0, Self.leastOverhead) / nanosecondsPerItem
    var size = max(least, target / nanosecondsPerItem)
    if let remaining { size = min(size, max(min(least, Double(remaining)), Double(remaining) / Double(2 * width))) }
    return max(1, Int(min(size, most)))
  }

  /// Follows a change in a few measurements, and a single outlier not at all far.
  private static func average(_ old: Double?, _ new: Double) -> Double {
    old.map { ($0 + new) / 2 } ?? new
  }
}
