/// How often a worker looks at what was written to its standard error, so that a failure quotes only its own item: before each
/// item, or, where items are so short that looking would cost more than a tenth of them, before each chunk; not at all between chunks
/// in which nobody can have written anything.
struct ErrorWatch {
  /// To write takes longer than this.
  private static let shortest: UInt64 = 1_000

  /// Whether the next chunk is looked at.
  private(set) var looks = true
  private var isSlow = true
  /// Something was written since the last chunk ended; before that, while it ran.
  var hasWritten = false
  private var hadWritten = false

  /// Whether each item is looked at.
  var looksAtItems: Bool { isSlow || hasWritten || hadWritten }

  /// A chunk has ended.
  mutating func ended(items: Int, elapsed: UInt64) {
    looks = elapsed >= Self.shortest
    isSlow = elapsed / UInt64(max(1, items)) >= Self.shortest
    hadWritten = hasWritten
    hasWritten = false
  }
}
