import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Says its process number, then waits to be killed; the third time, or for the other items, it is left alone.
private struct Target: Worker, Codable {
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) -> Int {
    if item % 10 == 0, context.attempt == 1 {
      ledger.note("\(getpid())")
      while true { usleep(1_000) }
    }
    return item
  }
}

/// Says its process number, then does nothing until the word is said; item 0 is nothing.
private struct Patient: StatelessWorker, Codable {
  var ledger: LineLedger
  var word: String
  var ignoresSIGTERM = false

  func process(_ item: Int) throws -> Int {
    if item == 0 { return item }
    if ignoresSIGTERM { signal(SIGTERM, SIG_IGN) }
    ledger.note("\(getpid())")
    while try !ledger.lines.contains(word) { usleep(1_000) }
    return item
  }
}

extension Faults {
  /// Poison, retries, and who is to blame.
  @Suite struct Blame {
    @Test("F25 one item of ten thousand crashes every time", .forks)
    func f25() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let options = MapOptions(retry: .upTo(10, maximumCrashes: 3))
        let found = try await failures(pool, 10_000, Accident(deeds: [5_005: .exitAtOnce]), options)
        guard case .quarantined(crashes: 3, .exited(code: 3))? = found[5_005]?.cause, found.count == 1 else {
          Issue.record("\(found)")
          return
        }
        #expect(found[5_005]?.attempt == 3)
        try await expectUsable(pool)
      }
    }

    @Test("F26 poison in a chunk of 64: nobody else is tried twice", .forks)
    func f26() async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(.processes(1)) { pool async throws in
          let options = MapOptions(chunking: .size(64), retry: .upTo(10, maximumCrashes: 2))
          let worker = Accident(deeds: [30: .exitAtOnce], ledger: ledger)
          #expect(try await Array(failures(pool, 128, worker, options).keys) == [30])
        }
        let attempts = try ledger.lines
        #expect(attempts.filter { $0.hasSuffix(" 2") } == ["30 2"])
        #expect(attempts.count == 129)
      }
    }

    @Test("F27 somebody kills three workers on three items", .forks)
    func f27() async throws {
      try await LineLedger.with { ledger in
        let killer = Task {
          for count in 1...3 {
            while try ledger.lines.count < count { try await Task.sleep(for: .milliseconds(1)) }
            kill(try #require(pid_t(ledger.lines[count - 1])), SIGKILL)
          }
        }
        try await withWorkerPool(.processes(1)) { pool async throws in
          let options = MapOptions(chunking: .size(1), retry: .upTo(1, maximumCrashes: 2))
          #expect(try await pool.map(0..<30, with: Target(ledger: ledger), options: options) == Array(0..<30))
        }
        try await killer.value
      }
    }

    @Test("F28 an item fails twice, then succeeds", arguments: [WorkerPool.Backend.threads(2), .processes(2)].runnable)
    func f28(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let worker = Accident(deeds: [11: .throwError], attempts: 2, ledger: ledger)
          let options = MapOptions(chunking: .size(4), retry: .upTo(2))
          #expect(try await failures(pool, 40, worker, options).isEmpty)
        }
        #expect(try ledger.lines.filter { $0.hasPrefix("11 ") } == ["11 1", "11 2", "11 3"])
      }
    }

    @Test("F29 a hundred items fail at once", arguments: [WorkerPool.Backend.threads(2), .processes(2)].runnable)
    func f29(backend: WorkerPool.Backend) async throws {
      let worker = Accident(deeds: Dictionary(uniqueKeysWithValues: (50..<150).map { ($0, .throwError) }))
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await failures(pool, 200, worker).count == 100)
        let first = await #expect(throws: ItemFailure.self) { _ = try await pool.map(0..<200, with: worker) }
        #expect(50..<150 ~= first?.index ?? 0)
        let all = await #expect(throws: ItemFailures.self) {
          _ = try await pool.map(0..<200, with: worker, onFailure: .collect)
        }
        #expect(all?.count == 100)
        let some = await #expect(throws: (any Error).self) {
          _ = try await pool.map(0..<200, with: worker, onFailure: .skip, options: MapOptions(maximumFailures: 20))
        }
        #expect(some != nil)
        let backoff = MapOptions.Backoff.exponential(.milliseconds(1), maximum: .milliseconds(20))
        let patient = MapOptions(retry: .upTo(1, backoff: backoff))
        var once = worker
        once.attempts = 1
        #expect(try await failures(pool, 200, once, patient).isEmpty)
        try await expectUsable(pool)
      }
    }

    /// Two items run at once in one slot or in one process. The one that is too slow has to be ended, and goes later than the
    /// other, which runs again until the failure is known.
    @Test(
      "an item that is too slow is ended and blamed, and nobody beside it", .forks,
      arguments: [
        // A thread beside it in its process, and another worker's process beside it in its slot.
        WorkerPool.Backend.processes(2, WorkerPool.ProcessOptions(threadsPerProcess: 2)),
        .processes(1, WorkerPool.ProcessOptions(start: .fork)),
      ])
    func bystanders(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let beside = Patient(ledger: ledger, word: "known")
          let slow = Patient(ledger: ledger, word: "never", ignoresSIGTERM: true)
          // Both are set up: else the slot takes up the one only when it is done with the other.
          for worker in [beside, slow] { #expect(try await pool.map([0, 0], with: worker) == [0, 0]) }
          async let outputs = pool.map([7], with: beside)
          while try ledger.lines.count < 1 { try await Task.sleep(for: .milliseconds(1)) }
          let options = MapOptions(retry: .upTo(1), timeouts: MapOptions.Timeouts(item: .milliseconds(100)))
          let error = await #expect(throws: ItemFailure.self) { try await pool.map([8], with: slow, options: options) }
          ledger.note("known")
          guard case .timedOut? = error?.cause else {
            Issue.record("\(String(describing: error))")
            return
          }
          #expect(error?.attempt == 2)
          #expect(try await outputs == [7])
        }
        // Each twice at least.
        #expect(try ledger.lines.count >= 5)
      }
    }
  }
}
