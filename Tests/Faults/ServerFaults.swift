import Foundation
import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Notes its process and its parent, then waits for the word, the first time.
private struct Waiting: Worker, Codable {
  var ledger: LineLedger
  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws -> Int {
    ledger.note("\(item) \(getppid())")
    while try !ledger.lines.contains("go on") { usleep(1_000) }
    return context.attempt
  }
}

extension Faults {
  /// The fork server, in its own right.
  @Suite(.forks) struct Server {
    @Test("U17: somebody kills the fork server: no item is blamed, one line is said", arguments: [1, 2])
    func killed(threads: Int) async throws {
      let heard = Heard()
      try await LineLedger.with { ledger in
        let backend = WorkerPool.Backend.processes(4, WorkerPool.ProcessOptions(threadsPerProcess: threads))
        try await withWorkerPool(backend, logger: heard.logger()) { pool async throws in
          let running = Task {
            try await pool.map(0..<8, with: Waiting(ledger: ledger), options: MapOptions(chunking: .size(1)))
          }
          while try ledger.lines.count < 4 { try await Task.sleep(for: .milliseconds(1)) }
          let server = try #require(try ledger.lines[0].split(separator: " ").last.flatMap { Int32($0) })
          kill(server, SIGKILL)
          // Each of them is run again.
          while try ledger.lines.count < 8 { try await Task.sleep(for: .milliseconds(1)) }
          ledger.note("go on")
          #expect(try await running.value == [Int](repeating: 1, count: 8))
          try await expectUsable(pool)
        }
      }
      #expect(heard.lines.count == 1 && heard.lines[0].level == .warning, "\(heard.lines)")
      #expect(heard.lines.first?.message.contains("the fork server was lost") == true)
    }

    @Test(
      "U17: what is stuck in a library's constructor ends with a program that is killed",
      arguments: ["forkServer", "spawn"])
    func stuck(start: String) async throws {
      try await onPlainThread {
        let program = try TestProgram(["stuck", start])
        var children: [Int32] = []
        while children.isEmpty {
          usleep(1_000)
          children = descendants(of: program.id)
        }
        kill(program.id, SIGKILL)
        _ = program.wait()
        while children.contains(where: TestProgram.isRunning) { usleep(1_000) }
      }
    }

    @Test("U17: an item that kills the fork server each time does not do so for ever")
    func poison() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let error = await #expect(throws: ItemFailure.self) { _ = try await pool.map([0], with: ServerKiller()) }
        guard case .crashed(let crash)? = error?.cause, crash.kind == .killedFromOutside else {
          Issue.record("\(String(describing: error))")
          return
        }
        try await expectUsable(pool)
      }
    }
  }
}

private struct ServerKiller: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    kill(getppid(), SIGKILL)
    while true { sleep(1) }
  }
}
