import Millrace
import TestSupport
import Testing

/// Its set-up, and its tear-down, map on the pool that they are in.
private struct MapsAround: Worker {
  let pool: WorkerPool
  let torn: CommonCounter

  func setUp(_ context: WorkerContext) async throws -> Int {
    try await pool.map([1, 2]) { $0 * 2 }.reduce(0, +)
  }

  func process(_ item: Int, state: inout Int) -> Int { item + state }

  func tearDown(_ state: Int) async throws {
    _ = try await pool.map([1, 2]) { $0 }
    torn.increment()
  }
}

extension Checked {
  /// Set-ups and tear-downs that use the pool that they are in.
  @Suite(.timeLimit(.minutes(1))) struct SetUpMaps {
    @Test("U182: a set-up and a tear-down may map on their pool, at each level", arguments: Backends.shared)
    func nested(backend: WorkerPool.Backend) async throws {
      for _ in 0..<10 {
        try await withWorkerPool(backend) { pool async throws in
          let torn = CommonCounter()
          let worker = MapsAround(pool: pool, torn: torn)
          let options = MapOptions(keepsWorkers: false)
          let flat = try await pool.map(0..<3, with: worker, options: options)
          #expect(flat == [6, 7, 8])
          let nested = try await pool.map(0..<2) { _ in try await pool.map(0..<3, with: worker, options: options) }
          #expect(nested == [[6, 7, 8], [6, 7, 8]])
          let deep = try await pool.map(0..<2) { _ in
            try await pool.map(0..<2) { _ in try await pool.map(0..<3, with: worker, options: options).count }
          }
          #expect(deep == [[3, 3], [3, 3]])
          #expect(torn.value > 0)
        }
      }
    }
  }
}
