import CMillrace
import Synchronization

/// Pools inside the workers of pools, and maps inside the items of maps on the same pool: how deep they may go.
package enum Nesting {
  /// Set for the code that runs in a worker of a pool in this process.
  @TaskLocal static var place: Place?

  /// In which pool's worker code runs, and inside which others that is.
  package final class Place: Sendable {
    let pool: ObjectIdentifier
    /// How many pools there are around it, this one included.
    let depth: Int
    let outer: Place?
    private let currentLevel: Atomic<Int>
    private let currentJob = Atomic(0)
    /// The worker whose set-up or tear-down it is, if it is one.
    let worker: WorkerKey?
    /// The number of the map that is shown, of those around it the innermost (``ProgressTracker``).
    let progress: Int?

    init(
      in pool: PoolCore, level: Int, depth: Int, outer: Place?, of worker: WorkerKey? = nil, progress: Int? = nil
    ) {
      self.worker = worker
      self.progress = progress ?? outer?.progress
      self.pool = ObjectIdentifier(pool)
      currentLevel = Atomic(level)
      self.depth = depth
      self.outer = outer
    }

    /// How many maps of this pool there are around the item's own, or wait for it. It grows when an item of a higher level
    /// begins to wait for the map.
    var level: Int { currentLevel.load(ordering: .acquiring) }

    func raise(to level: Int) { currentLevel.store(level, ordering: .releasing) }

    /// The map to which the item belongs; nil: it is a set-up or a tear-down, which is no map's.
    var job: JobID? {
      let value = currentJob.load(ordering: .acquiring)
      return value == 0 ? nil : JobID(value)
    }

    func belongs(to job: JobID) { currentJob.store(job.value, ordering: .releasing) }
  }

  /// Inside which item of the pool this is.
  static func place(in pool: PoolCore) -> Place? {
    let id = ObjectIdentifier(pool)
    var place = place
    while let here = place, here.pool != id { place = here.outer }
    return place
  }

  /// The level of a map that is begun here: 0 outside of the pool's items, 1 inside an item, 2 inside an item of that map.
  static func level(in pool: PoolCore) -> Int { place(in: pool).map { $0.level + 1 } ?? 0 }

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
        .nestedTooDeep, "a pool inside \(depth) other pools; at most \(maximumDepth) may be nested")
    }
    if backend.width == nil, depth > 0 { return 1 }
    return try backend.resolvedWidth()
  }

  static var depth: Int { place?.depth ?? 0 }
  static var currentDepth: Int { depth + processDepth }
  /// How many launches of worker processes lie above this process.
  static var processDepth: Int { Int(millrace_depth()) }
}
