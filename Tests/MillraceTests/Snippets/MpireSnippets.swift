import Millrace
import Synchronization

// What "Coming from MPIRE" shows.

enum MpireSnippets {
  static func squares() async throws -> [Int] {
    let squares = try await withWorkerPool(.processes(4)) { pool in
      try await pool.map(0..<100) { $0 * $0 }
    }

    return squares
  }

  /// MPIRE's worker state, its init and exit functions.
  struct CountEven: Worker {
    func setUp(_ context: WorkerContext) -> Int { 0 }

    func process(_ number: Int, state count: inout Int) -> Bool {
      let isEven = number.isMultiple(of: 2)
      if isEven { count += 1 }
      return isEven
    }

    func tearDown(_ count: Int) -> Int { count }
  }

  static func exits() async throws -> Int {
    try await withWorkerPool(.processes(2)) { pool in
      try await pool.forEach(0..<100, with: CountEven())
      let exits = try await pool.tearDown(CountEven())
      let total = try exits.reduce(0) { try $0 + $1.result.get() }

      return total
    }
  }

  static func workerID(_ pool: WorkerPool) async throws -> [Int] {
    let slots = try await pool.map(0..<100) { _ in WorkerContext.current!.slot }

    return slots
  }

  static func shared(_ pool: WorkerPool, _ dictionary: [String: Int], _ words: [String]) async throws -> [Int?] {
    let found = try await pool.map(words) { word in dictionary[word] }

    return found
  }

  static func sharedCounter() -> Int {
    let counter = Atomic(0)
    (0..<1_000).parallelForEach { _ in counter.add(1, ordering: .relaxed) }

    return counter.load(ordering: .relaxed)
  }

  static func chunking(_ pool: WorkerPool) async throws -> [Int] {
    let options = MapOptions(
      chunking: .size(2.5), window: .items(8), lifespan: MapOptions.Lifespan(items: 1_000), dispatch: .roundRobin,
      count: 100)
    let squares = try await pool.map((0..<100).lazy.map { $0 + 1 }, options: options) { $0 * $0 }

    return squares
  }

  static func single(_ pool: WorkerPool) async throws -> (Int, Int) {
    let sum = try await pool.run(100) { (0..<$0).reduce(0, +) }

    let handle = try pool.submit(100) { (0..<$0).reduce(0, +) }
    let again = try await handle.value(within: .seconds(1))

    return (sum, again)
  }

  static func severalAtOnce(_ pool: WorkerPool, _ words: [String]) async throws -> ([Int], [String]) {
    async let lengths = pool.map(words) { $0.utf8.count }
    async let shouted = pool.map(words) { $0.uppercased() }
    let both = try await (lengths, shouted)

    return both
  }

  static func nested(_ pool: WorkerPool, _ rows: [[Int]]) async throws -> [[Int]] {
    let results = try await pool.map(rows) { row in
      try await withWorkerPool(.threads(2)) { inner in
        try await inner.map(row) { $0 + 1 }
      }
    }

    return results
  }

  static func bars(_ pool: WorkerPool) async throws -> ([Int], [Int], [[Int]]) {
    typealias Percentages = ProgressSnippets.Percentages
    let squares = try await pool.map(0..<100, options: MapOptions(progress: .bar())) { $0 * $0 }

    let cubes = try await pool.map(0..<100, options: MapOptions(progress: .custom(Percentages(label: "cubes")))) {
      $0 * $0 * $0
    }

    let sums = try await pool.map(0..<4, options: MapOptions(progress: .bar("all"))) { start in
      let name = "worker \(WorkerContext.current!.slot)"
      return try await withWorkerPool(.threads(2)) { nested in
        try await nested.map(start..<start + 100, options: MapOptions(progress: .bar(name))) { $0 * $0 }
      }
    }

    return (squares, cubes, sums)
  }

  static func insights(_ pool: WorkerPool) async throws -> Insights {
    pool.recordInsights()
    try await pool.forEach(0..<100) { $0 * $0 }
    print(pool.insights)

    let insights = pool.insights
    print(insights.total.times.workingRatio ?? 1, insights.longest.map(\.elapsed))

    return insights
  }

  static func slices(_ samples: [Float]) -> [Float] {
    let smoothed = samples.mapChunks(of: 4_096) { part in part.map { $0 / 2 } }

    return smoothed
  }
}
