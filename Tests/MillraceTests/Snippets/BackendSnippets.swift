import Millrace

// What "Choosing a backend" shows.

enum BackendSnippets {
  static func backends() throws {
    let everywhere: [WorkerPool.Backend] = [.serial, .tasks(100), .threads(), .processes()]

    _ = everywhere
  }

  static func total(_ prices: [Int]) -> Int {
    let total = prices.parallelReduce(0, +)

    return total
  }

  static func doubled(_ prices: [Int]) async throws -> [Int] {
    let doubled = try await prices.parallelMap { try checked($0) * 2 }

    return doubled
  }

  static func slowTotals(_ prices: [Int]) async throws -> [Int] {
    let totals = try await prices.parallelMap { (price: Int) throws in slowly(price) }

    return totals
  }

  static func slowly(_ price: Int) -> Int { price }

  static func checked(_ price: Int) throws -> Int { price }

  static func waiting(_ hosts: [String]) async throws -> [Int] {
    try await withWorkerPool(.tasks(100)) { pool in
      try await pool.map(hosts) { host in try await ping(host) }
    }
  }

  static func ping(_ host: String) async throws -> Int { host.utf8.count }

  static func processes() -> WorkerPool.Backend {
    let backend = WorkerPool.Backend.processes(
      4, WorkerPool.ProcessOptions(threadsPerProcess: 2, environment: ["LANG": "C", "HOME": nil], grace: .seconds(2)))

    return backend
  }

  static func pinning() -> [WorkerPool.Backend] {
    let pinned: [WorkerPool.Backend] = [
      .threads(2, cpuIDs: [0]), .threads(2, cpuIDs: [0, 1]), .threads(2, cpuIDs: [[0, 1]]),
      .threads(2, cpuIDs: [[0], [0, 1]]),
    ]

    return pinned
  }

  static func nested(_ pool: WorkerPool, _ shelves: [[Int]]) async throws -> [Int] {
    let totals = try await pool.map(shelves) { shelf in
      try await pool.map(shelf) { price in try checked(price) }.reduce(0, +)
    }

    return totals
  }

  static func resizing(_ pool: WorkerPool, _ items: [Int]) async throws -> [Int] {
    async let results = pool.map(items) { $0 + 1 }
    try pool.resize(to: 8)

    return try await results
  }
}
