import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Faults {
  /// A slot has a process for each closure that it runs.
  @Suite(.forks) struct Bystanders {
    @Test("U16: what others of a slot had finished when an idle process was killed is not made again")
    func u16() async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(.processes(1)) { pool async throws in
          let idle = try #require(try await pool.map([0]) { _ in getpid() }.first)
          let working = Task {
            try await pool.map(0..<40, options: MapOptions(chunking: .size(40))) { item in
              ledger.note("\(item)")
              usleep(10_000)
              return item
            }
          }
          while try ledger.lines.count < 30 { try await Task.sleep(for: .milliseconds(1)) }
          kill(idle, SIGKILL)
          #expect(try await working.value == Array(0..<40))
        }
        // Each item once, but for the one that was running.
        let runs = Dictionary(grouping: try ledger.lines, by: \.self).mapValues(\.count)
        #expect(runs.count == 40 && runs.values.filter { $0 > 1 }.count <= 1, "\(runs.filter { $0.value > 1 })")
      }
    }
  }
}
