import Foundation
import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Traps in each of the ways in which Swift says what was wrong.
private struct Insistent: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    switch item {
    case 0: precondition(item > 5, "larger than five")
    case 1: fatalError("never one")
    case 2: assert(item > 5, "asserted to be more")
    default: FileHandle.standardError.write(Data("it said: Fatal error: but went on\n".utf8))
    }
    return item
  }
}

extension Faults {
  /// What a trap was about, and what only looks like it.
  @Suite(.forks) struct TrapMessages {
    @Test("U44: a failure has the message of a precondition, and of an assertion")
    func messages() async throws {
      try await withWorkerPool(.processes(1, WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"])))
      {
        pool in
        var messages: [String] = []
        for try await outcome in pool.outcomes(of: 0..<3, with: Insistent()) {
          if case .failure(let failure) = outcome.result { messages.append("\(failure)") }
        }
        #expect(messages.count == 3)
        for (message, said) in zip(messages, ["larger than five", "never one", "asserted to be more"]) {
          #expect(message.contains(said))
        }
      }
    }

    @Test("U44: a line that only quotes a fatal error is one like others")
    func quoted() async throws {
      let heard = Heard()
      try await withWorkerPool(.processes(1), logger: heard.logger()) { pool async throws in
        #expect(try await pool.map([7], with: Insistent()) == [7])
      }
      #expect(heard.lines.map(\.message) == ["it said: Fatal error: but went on"])
      #expect(heard.lines.first?.level == .info)
    }
  }
}
