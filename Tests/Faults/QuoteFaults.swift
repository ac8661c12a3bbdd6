import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Each item, and the set-up, writes a line to standard error; one of them ends its worker at once after that.
struct Noisy<Item: Sendable & Codable & Equatable>: Worker, Codable {
  var last: Item

  func setUp(_ context: WorkerContext) { say("the set-up") }

  func process(_ item: Item, state: inout Void) -> Item {
    say("item \(item)")
    if item == last { _exit(3) }
    return item
  }

  fileprivate func say(_ line: String) {
    let line = line + "\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
  }
}

/// Two of them meet; then the first crashes.
private struct Meeting: StatelessWorker, Codable {
  var ledger: LineLedger

  func process(_ item: Int) throws -> Int {
    FileHandle.standardError.write(Data("item \(item)\n".utf8))
    ledger.note("\(item)")
    while try Set(ledger.lines).count < 2 { usleep(1_000) }
    if item == 0 { raise(SIGABRT) }
    return item
  }
}

extension Faults {
  /// What of a worker's standard error a failure quotes.
  @Suite(.forks) struct Quotes {
    @Test(
      "U21: a failure quotes what was written since its item began, nothing of others", arguments: WorkerLife.processes,
      [1, 4, 50])
    func own(backend: WorkerPool.Backend, size: Int) async throws {
      for round in 0..<5 {
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(size))
          let error = await #expect(throws: ItemFailure.self) {
            _ = try await pool.map(0..<50, with: Noisy(last: 30 + round), options: options)
          }
          #expect(error?.standardError == "item \(30 + round)\n")
          let texts = (0..<50).map { "\($0)" }
          let other = await #expect(throws: ItemFailure.self) {
            _ = try await pool.map(texts, with: Noisy(last: "\(30 + round)"), options: options)
          }
          #expect(other?.standardError == "item \(30 + round)\n")
        }
      }
    }

    @Test("U21: what a process of several threads has written is quoted as that")
    func shared() async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(Suspects.crowded[0]) { pool async throws in
          let options = MapOptions(chunking: .size(1))
          let error = await #expect(throws: ItemFailure.self) {
            _ = try await pool.map(0..<2, with: Meeting(ledger: ledger), options: options)
          }
          let text = error?.standardError ?? ""
          #expect(text.hasPrefix("(written by its process") && text.contains("item 0\n"), "\(text)")
        }
      }
    }
  }
}
