/// Where chunks begin: exact arithmetic on offsets, without accumulated rounding.
enum ChunkingRule: Sendable, Hashable {
  /// Every chunk holds so many items.
  case items(Int)
  /// The first n chunks hold n × significand / 2^shift items, rounded up. The quotient is at least 1.
  case fraction(significand: Int, shift: Int)
  /// The first n of `count` chunks hold n × total / count items, rounded up.
  case share(total: Int, count: Int)
  /// Sizes differ by at most one, the larger chunks first.
  case even(total: Int, count: Int)

  /// The rule for chunks of `size` items on average; `size` is finite and at least 1.
  static func size(_ size: Double) -> ChunkingRule {
    let limit = Double(1 << 53)  // from here on every Double is whole, and larger than any input
    if size >= limit { return .items(1 << 53) }
    if size == size.rounded() { return .items(Int(size)) }
    // A Double is a fraction with a power of two below the line.
    let shift = 52 - Int(size.exponent)
    return .fraction(significand: Int(size.significandBitPattern | 1 << 52), shift: shift)
  }

  /// So many chunks of `total` items, or one for each item if there are fewer.
  static func sharing(_ total: Int, count: Int) -> ChunkingRule {
    total <= count ? .items(1) : .share(total: total, count: count)
  }

  /// The offset at which chunk `index` begins, if the input is long enough to have it.
  func start(of index: Int) -> Int {
    switch self {
    case .items(let size):
      return index * size
    case .fraction(let significand, let shift):
      return Int(Self.fractionStart(Int128(index), significand, shift))
    case .share(let total, let count):
      return Int(Self.shareStart(Int128(index), total, count))
    case .even(let total, let count):
      return index * (total / count) + min(index, total % count)
    }
  }

  /// How many items chunk `index` holds, if the input is long enough.
  ///
  /// Not by where it begins: who made the chunks before it smaller may have come further than offsets go.
  func size(of index: Int) -> Int {
    switch self {
    case .items(let size): size
    case .fraction(let significand, let shift):
      Int(
        Self.fractionStart(Int128(index) + 1, significand, shift)
          - Self.fractionStart(Int128(index), significand, shift)
      )
    case .share(let total, let count):
      Int(Self.shareStart(Int128(index) + 1, total, count) - Self.shareStart(Int128(index), total, count))
    case .even(let total, let count): total / count + (index < total % count ? 1 : 0)
    }
  }

  private static func fractionStart(_ index: Int128, _ significand: Int, _ shift: Int) -> Int128 {
    (index * Int128(significand) + (1 << Int128(shift)) - 1) >> Int128(shift)
  }

  private static func shareStart(_ index: Int128, _ total: Int, _ count: Int) -> Int128 {
    (index * Int128(total) + Int128(count) - 1) / Int128(count)
  }

  /// How many chunks an input of `total` items makes.
  func count(over total: Int) -> Int {
    if total == 0 { return 0 }
    switch self {
    case .items(let size):
      return total / size + (total % size == 0 ? 0 : 1)
    case .fraction(let significand, let shift):
      // The last chunk is the last that begins before the end.
      return Int((Int128(total - 1) << Int128(shift)) / Int128(significand)) + 1
    case .share(_, let count), .even(_, let count):
      return count
    }
  }
}
