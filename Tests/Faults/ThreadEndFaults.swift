import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Ends the thread that it runs on.
private struct Leaver: StatelessWorker, Codable {
  var waitsFirst = false

  func process(_ item: Int) async -> Int {
    if item == 3 {
      if waitsFirst { await Task.yield() }
      leave()
    }
    return item
  }

  private func leave() { pthread_exit(nil) }
}

extension Faults {
  /// U13: code of an item's ends its worker's thread: nothing on it returns, and the process lives.
  @Suite struct ThreadEnds {
    @Test(
      "U13: an item that ends its thread costs one item",
      arguments: (WorkerLife.processes + [.threads(2), .threads(1)]).runnable)
    func oneItem(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for waits in [false, true] {
          var failures: [ItemFailure] = []
          var others: [Int] = []
          for try await outcome in pool.outcomes(of: 0..<20, with: Leaver(waitsFirst: waits)) {
            switch outcome.result {
            case .success(let output): others.append(output)
            case .failure(let failure): failures.append(failure)
            }
          }
          #expect(others == Array(0..<20).filter { $0 != 3 })
          #expect(failures.map(\.index) == [3])
          guard let failure = failures.first, case .exited = failure.cause else {
            return #expect(Bool(false), "\(failures)")
          }
          #expect("\(failure)".contains("ended the thread that it ran on (pthread_exit)"), "\(failure)")
        }
        try await expectUsable(pool)
      }
    }

    @Test(
      "U13: a map that fails fast of it fails, and an attempt is made again",
      arguments: [WorkerPool.Backend.processes(2), .threads(2)].runnable)
    func policies(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let failure = await #expect(throws: ItemFailure.self) { _ = try await pool.map(0..<5, with: Leaver()) }
        #expect(failure?.index == 3)
        let again = await #expect(throws: ItemFailure.self) {
          _ = try await pool.map(0..<5, with: Leaver(), options: MapOptions(retry: .upTo(1)))
        }
        #expect(again?.attempt == 2)
        try await expectUsable(pool)
      }
    }
  }
}
