import Foundation
import Millrace

// What "Coming from parmapper" shows.

enum ParmapperSnippets {
  struct Settings: Sendable {
    var scale = 1
    var label = "none"
  }

  static func work(_ numbers: Int..., settings: Settings = Settings()) -> String {
    "\(numbers) \(settings.scale) \(settings.label)"
  }

  // MARK: The table of star and kwstar

  /// star=False, kwstar=False.
  static func plain(_ pool: WorkerPool, _ values: [Int], _ c: Int, _ fixed: Settings) async throws -> [String] {
    let results = try await pool.map(values) { value in
      work(value, c, settings: fixed)
    }

    return results
  }

  /// star=True, kwstar=False.
  static func star(
    _ pool: WorkerPool, _ xs: [Int], _ ys: [Int], _ c: Int, _ fixed: Settings
  ) async throws -> [String] {
    let results = try await pool.map(zip(xs, ys)) { x, y in
      work(x, y, c, settings: fixed)
    }

    return results
  }

  /// star=False, kwstar=True.
  static func kwstar(
    _ pool: WorkerPool, _ values: [Int], _ scales: [Int], _ c: Int, _ fixed: Settings
  ) async throws -> [String] {
    let results = try await pool.map(zip(values, scales)) { value, scale in
      var settings = fixed
      settings.scale = scale
      return work(value, c, settings: settings)
    }

    return results
  }

  /// star=True, kwstar=True.
  static func starKwstar(
    _ pool: WorkerPool, _ xs: [Int], _ ys: [Int], _ scales: [Int], _ c: Int, _ fixed: Settings
  ) async throws -> [String] {
    let results = try await pool.map(zipped(xs, ys, scales)) { x, y, scale in
      var settings = fixed
      settings.scale = scale
      return work(x, y, c, settings: settings)
    }

    return results
  }

  /// star=None, kwstar=False.
  static func none(_ pool: WorkerPool, _ c: Int, _ fixed: Settings) async throws -> [String] {
    let results = try await pool.map(0..<10) { _ in
      work(c, settings: fixed)
    }

    return results
  }

  /// star=None, kwstar=True.
  static func noneKwstar(
    _ pool: WorkerPool, _ scales: [Int], _ c: Int, _ fixed: Settings
  ) async throws -> [String] {
    let results = try await pool.map(scales) { scale in
      var settings = fixed
      settings.scale = scale
      return work(c, settings: settings)
    }

    return results
  }

  typealias Change = @Sendable (inout Settings) -> Void

  static func differentChanges(
    _ pool: WorkerPool, _ values: [Int], _ fixed: Settings
  ) async throws -> [String] {
    let changes: [Change] = [{ $0.scale = 7 }, { $0.label = "last" }]
    let results = try await pool.map(zip(values, changes)) { (item: (value: Int, change: Change)) in
      var settings = fixed
      item.change(&settings)
      return work(item.value, settings: settings)
    }

    return results
  }

  // MARK: The rest

  static func loops(_ items: [Int]) -> [Int] {
    // A loop:
    var results: [Int] = []
    for item in items {
      results.append(item * item)
    }

    // The same in parallel:
    results = items.parallelMap { item in item * item }

    return results
  }

  static func processes(_ items: [Int]) async throws -> [Int] {
    let results = try await withWorkerPool(.processes(4)) { pool in
      try await pool.map(items) { item in item * item }
    }

    return results
  }

  static func threadsInProcesses() -> WorkerPool.Backend {
    let backend = WorkerPool.Backend.processes(8, WorkerPool.ProcessOptions(threadsPerProcess: 2))

    return backend
  }

  static func chain(_ pool: WorkerPool, _ lines: AsyncStream<String>) async throws -> [String] {
    let numbers = lines.compactMap { Int($0) }
    let squares = pool.outputs(of: numbers) { $0 * $0 }
    var results: [String] = []
    for try await square in squares { results.append("\(square)") }

    return results
  }

  static func returned(_ pool: WorkerPool, _ items: [Int]) async throws -> [Result<Int, ItemFailure>] {
    var results: [Result<Int, ItemFailure>] = []
    for try await outcome in pool.outcomes(of: items, { try checked($0) }) {
      results.append(outcome.result)
    }

    return results
  }

  struct Unlucky: Error, Codable {}

  static func checked(_ item: Int) throws -> Int {
    if item == 3 { throw Unlucky() }
    return item
  }

  static func background(_ pool: WorkerPool) async throws -> Int {
    let call = try pool.submit { (1...1_000).reduce(0, +) }
    let sum = try await call.value(within: .seconds(10))

    return sum
  }

  static func vectorised(_ samples: [Double]) -> [Double] {
    let roots = samples.mapChunks(count: 4) { part in part.map { $0.squareRoot() } }

    return roots
  }
}
