import CMillrace

/// Pools inside the workers of pools, and maps inside the items of maps on the same pool: how deep they may go.
enum Nesting {
  /// Set for the code that runs in a worker of a pool in this process.
  @TaskLocal static var place: Place?

  /// In which pool's worker code runs, and inside which others that is.
  final class Place: Sendable {
    let pool: ObjectIdentifier
    /// How many pools there are around it, this one included.
    let depth: Int
    /// How many maps of this pool there are around the item's own.
    let level: Int
    let outer: Place?

    init(in pool: PoolCore, level: Int, depth: Int, outer: Place?) {
      self.pool = ObjectIdentifier(pool)
      self.level = level
      self.depth = depth
      self.outer = outer
    }
  }

  /// The level of a map that is begun here: 0 outside of the pool's items, 1 inside an item, 2 inside an item of that map.
  static func level(in pool: PoolCore) -> Int {
    let id = ObjectIdentifier(pool)
    var place = place
    while let here = place {
      if here.pool == id { return here.level + 1 }
      place = here.outer
    }
    return 0
  }

  /// Pools inside pools inside pools: more than this is a runaway recursion.
  static let maximumDepth = 8
  /// Maps inside items of the same pool: each level may take as many spare workers as the pool has slots.
  static let maximumLevel = 32

  /// The width of a pool made here. Without a given width, a pool inside a worker has one slot: the outer pool already
  /// uses the CPUs.
  static func width(for backend: WorkerPool.Backend) throws -> Int {
    let depth = currentDepth
    guard depth < maximumDepth else {
      throw WorkerPoolError(
        .nestedTooDeep, "a pool inside \(depth) other pools; at most \(maximumDepth) \(WorkerPoolError.tooDeepEnd)")
    }
    if backend.width == nil, depth > 0 { return 1 }
    return try backend.resolvedWidth()
  }

  static var depth: Int { place?.depth ?? 0 }
  static var currentDepth: Int { depth + processDepth }
  /// How many launches of worker processes lie above this process.
  static var processDepth: Int { Int(millrace_depth()) }
}
