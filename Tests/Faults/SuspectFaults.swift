import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Two items that run at once in one process, of which item 0 ends it; item 1 waits for that, the first time.
private struct Pair: Worker, Codable {
  enum Deed: String, Codable, CaseIterable, Sendable {
    case exit, exitAtOnce, raise, signalToProcess, killItself, exitOnThread

    /// Whether the worker can tell whose doing it was.
    var isKnown: Bool { self == .exit || self == .raise }
  }
  var deed: Deed
  var ledger: LineLedger

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
    ledger.note("\(item) \(context.attempt)")
    if item == 1 {
      while try runs(of: 1) < 2 { usleep(1_000) }
      return item
    }
    while try runs(of: 1) == 0 { usleep(1_000) }
    switch deed {
    case .exit: exit(3)
    case .exitAtOnce: _exit(3)
    case .raise: raise(SIGABRT)
    case .signalToProcess: kill(getpid(), SIGABRT)
    case .killItself: kill(getpid(), SIGKILL)
    case .exitOnThread: Thread { exit(3) }.start()
    }
    while true { sleep(1) }
  }

  private func runs(of item: Int) throws -> Int { try ledger.lines.count { $0.hasPrefix("\(item) ") } }
}

extension Faults {
  /// Whose doing it was, where several items are in one process.
  @Suite(.forks) struct Suspects {
    static let crowded = [WorkerPool.ProcessOptions.Start.forkServer, .spawn].map {
      WorkerPool.Backend.processes(
        2, WorkerPool.ProcessOptions(start: $0, threadsPerProcess: 2, environment: ["SWIFT_BACKTRACE": "enable=no"]))
    }

    private func run(
      _ backend: WorkerPool.Backend, _ deed: Pair.Deed, _ ledger: LineLedger, _ retry: MapOptions.Retry = .never
    ) async throws -> [ItemFailure] {
      try await withWorkerPool(backend) { pool async throws in
        var failures: [ItemFailure] = []
        let options = MapOptions(chunking: .size(1), retry: retry)
        for try await outcome in pool.outcomes(of: 0..<2, with: Pair(deed: deed, ledger: ledger), options: options) {
          switch outcome.result {
          case .success(let output): #expect(output == 1 && outcome.attempt == 1)
          case .failure(let failure): failures.append(failure)
          }
        }
        try await expectUsable(pool)
        return failures
      }
    }

    @Test(
      "U15: of several items in a process, the one that ends it is to blame, and the others lose no attempt",
      arguments: crowded, Pair.Deed.allCases)
    fileprivate func blamed(backend: WorkerPool.Backend, deed: Pair.Deed) async throws {
      try await LineLedger.with { ledger in
        let failures = try await run(backend, deed, ledger)
        #expect(failures.map(\.index) == [0])
        switch (deed, failures.first?.cause) {
        case (.exit, .exited(code: 3)?), (.exitAtOnce, .exited(code: 3)?), (.exitOnThread, .exited(code: 3)?): break
        case (.raise, .crashed(let crash)?), (.signalToProcess, .crashed(let crash)?):
          #expect(crash.kind == .signal && crash.signal == SIGABRT)
        case (.killItself, .crashed(let crash)?): #expect(crash.signal == SIGKILL)
        default: Issue.record("\(failures)")
        }
        // Where nobody knows, each is run by itself, and who did it does it again.
        #expect(try ledger.lines.sorted() == (deed.isKnown ? ["0 1"] : ["0 1", "0 1"]) + ["1 1", "1 1"])
      }
    }

    @Test("U15: who ends its process is alone with that in its next attempts, too", arguments: crowded)
    func retried(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let retry = MapOptions.Retry.upTo(5, maximumCrashes: 2)
        let failures = try await run(backend, .exitAtOnce, ledger, retry)
        guard case .quarantined(crashes: 2, .exited(code: 3))? = failures.first?.cause, failures.count == 1 else {
          Issue.record("\(failures)")
          return
        }
        #expect(try ledger.lines.sorted() == ["0 1", "0 1", "0 2", "1 1", "1 1"])
      }
    }
  }
}
