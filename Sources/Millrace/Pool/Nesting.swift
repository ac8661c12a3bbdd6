import CMillrace

/// Pools inside the workers of pools: how deep they may go, and how wide they are by default.
enum Nesting {
  /// Set for the code that runs in a worker of a pool in this process.
  @TaskLocal static var depth = 0

  /// Pools inside pools inside pools: more than this is a runaway recursion.
  static let maximumDepth = 8

  /// The width of a pool made here. Without a given width, a pool inside a worker has one slot: the outer pool already
  /// uses the CPUs.
  static func width(for backend: Backend) throws -> Int {
    let depth = currentDepth
    guard depth < maximumDepth else {
      throw WorkerPoolError(
        .nestedTooDeep, "a pool inside \(depth) other pools; at most \(maximumDepth) may be nested")
    }
    if backend.width == nil, depth > 0 { return 1 }
    return try backend.resolvedWidth()
  }

  static var currentDepth: Int { depth + processDepth }
  /// How many launches of worker processes lie above this process.
  static var processDepth: Int { Int(millrace_depth()) }
}
