import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Maps on its own pool, without end.
private func deeper(_ pool: WorkerPool) async throws -> Int {
  try await pool.map([0]) { _ in try await deeper(pool) }[0]
}

/// Makes a pool in each pool.
private struct Nest: StatelessWorker, Codable {
  var isProcess: Bool

  func process(_ item: Int) async throws -> Int {
    try await withWorkerPool(isProcess ? .processes(1) : .threads(1)) { try await $0.map([item], with: self)[0] }
  }
}

extension Checked {
  /// What is said where nesting has gone too deep.
  @Suite struct NestedErrors {
    private func expectOnce(_ error: ItemFailure?, _ text: String) {
      let all = error.map { "\($0)" } ?? ""
      #expect(all.contains(text) && all.components(separatedBy: "attempt").count == 2, "\(all)")
    }

    @Test("U9: maps that are nested too deep in one pool say so once, with the depth", arguments: Backends.shared)
    func samePool(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let error = await #expect(throws: ItemFailure.self) { _ = try await deeper(pool) }
        expectOnce(error, "a map inside 33 items of the same pool; at most 32 may be nested")
        guard case .threw(let inner as WorkerPoolError)? = error?.cause, inner.kind == .nestedTooDeep else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
    }

    @Test("U9: pools that are nested too deep say so once, with the depth", arguments: [false, true])
    func pools(isProcess: Bool) async throws {
      guard !isProcess || !ThreadSanitizer.isOn else { return }
      let nest = Nest(isProcess: isProcess)
      try await withWorkerPool(isProcess ? .processes(1) : .threads(1)) { pool async throws in
        let error = await #expect(throws: ItemFailure.self) { _ = try await pool.map([0], with: nest) }
        expectOnce(error, "a pool inside 8 other pools; at most 8 may be nested")
      }
    }
  }
}
