/// A lane's part of the work, packed into one word so that its owner and thieves change it by compare-and-swap.
///
/// A lane is one thread's place in a parallel call. Its owner takes pieces from one end; a lane that has run dry takes half
/// of what is left from the other. Bounds are 32-bit counts of *units*: a collection of more than 2^31 items is cut
/// into units of a power of two items (see ``ParallelJob``), so one word is always enough.
struct LaneRange: Equatable {
  var lower: UInt32
  var upper: UInt32

  init(_ lower: UInt32, _ upper: UInt32) {
    self.lower = lower
    self.upper = upper
  }

  init(word: UInt64) {
    self.init(UInt32(truncatingIfNeeded: word >> 32), UInt32(truncatingIfNeeded: word))
  }

  var word: UInt64 { UInt64(lower) << 32 | UInt64(upper) }
  var count: Int { lower < upper ? Int(upper - lower) : 0 }
  var isEmpty: Bool { lower >= upper }

  /// Cuts `size` units (at most all) off one end.
  mutating func cut(_ size: Int, fromBack: Bool) -> LaneRange {
    let size = UInt32(min(size, count))
    if fromBack {
      upper -= size
      return LaneRange(upper, upper + size)
    }
    lower += size
    return LaneRange(lower - size, lower)
  }

  /// Cuts the larger half off the end where the owner is not at work; the last unit goes over too.
  mutating func cutHalf(ownerAtBack: Bool) -> LaneRange {
    cut(count - count / 2, fromBack: !ownerAtBack)
  }
}
