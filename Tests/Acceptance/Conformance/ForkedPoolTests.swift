import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// Pools that are made in a process that was forked from the program: Swift's default executor has no threads there.
  @Suite(.forks) struct ForkedPools {
    private static let forked = [WorkerPool.Backend.processes(2), Backends.forking]

    @Test("U9: a pool of tasks in a forked process is refused, and it says what to do", arguments: forked)
    func tasks(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for try await outcome in pool.outcomes(
          of: 0..<2,
          { _ in
            try await withWorkerPool(.tasks(2)) { try await $0.map(0..<4, with: AddOne()).count }
          })
        {
          guard case .failure(let failure) = outcome.result else { return #expect(Bool(false), "not refused") }
          #expect("\(failure)".contains("use .threads"), "\(failure)")
        }
      }
    }

    @Test("U9: pools of threads, processes and one slot work there, by workers and submissions too", arguments: forked)
    func others(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let sums = try await pool.map(0..<2) { item in
          var sum = 0
          for inner in [WorkerPool.Backend.threads(2), .serial, .processes(1)] {
            sum += try await withWorkerPool(inner) { pool in
              let mapped = try await pool.map(0..<4, with: AddOne()).reduce(0, +)
              return try await mapped + pool.submit(item, with: AddOne()).value
            }
          }
          return sum
        }
        #expect(sums == [33, 36])
      }
    }
  }
}
