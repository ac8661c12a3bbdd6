import Millrace
import TestSupport
import Testing

/// Generic over whatever it is asked to find.
struct Finder<Table: Sendable>: StatelessWorker {
  func process(_ item: Int) -> String { "\(Table.self) \(item)" }
}

/// With a number as its argument, and a table of so many.
struct Lookup<let count: Int>: StatelessWorker {
  var table: InlineArray<count, Int>
  func process(_ item: Int) -> Int { table[item % count] }
}

extension Checked {
  /// Workers whose types have numbers among their arguments.
  @Suite struct NumberedTypes {
    @Test("U24: a worker over an InlineArray runs in worker processes", arguments: Backends.isolating)
    func inlineArrays(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(
          try await pool.map([1], with: Finder<InlineArray<3, Int>>()) == ["InlineArray<3, Int> 1"])
        #expect(try await pool.map(0..<4, with: Lookup(table: [7, 8, 9])) == [7, 8, 9, 7])
      }
    }
  }
}
