import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Pools that are made in a process that was forked from the program: the threads of Swift's default executor are not copied.
  @Suite(.forks) struct ForkedPools {
    private static let forked = [WorkerPool.Backend.processes(2), Backends.forking]

    @Test("U9: pools of every kind work there, by workers and submissions too", arguments: forked)
    func others(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let sums = try await pool.map(0..<2) { item in
          var sum = 0
          for inner in [WorkerPool.Backend.threads(2), .tasks(2), .serial, .processes(1)] {
            sum += try await withWorkerPool(inner) { pool in
              let mapped = try await pool.map(0..<4, with: AddOne()).reduce(0, +)
              return try await mapped + pool.submit(item, with: AddOne()).value
            }
          }
          return sum
        }
        #expect(sums == [44, 48])
      }
    }
  }
}
