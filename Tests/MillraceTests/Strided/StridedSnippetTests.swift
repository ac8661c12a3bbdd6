import Millrace
import Testing

/// The snippets of "Strided maps" do what the page says.
@Suite(.timeLimit(.minutes(1)))
struct StridedSnippetTests {
  @Test func forkAndJoin() async throws {
    var lines: [String] = []
    try await withWorkerPool(.threads(2)) { pool in try await StridedSnippets.fork(pool) { lines.append($0) } }
    #expect(lines == ["H3LLO,HELL0", "WORLD,W0RLD"])
  }

  @Test func failuresAndStandstill() async throws {
    var lines: [String] = []
    try await withWorkerPool(.threads(2)) { pool in
      try await StridedSnippets.degrees(pool)
      let loom = try StridedMap(on: pool, stride: 3, buffer: 6)
      let numbers = try loom.add(["1", "x", "3"]) { text in
        guard let number = Int(text) else { throw CancellationError() }
        return number
      }
      let doubled = try loom.add(numbers) { $0 * 2 }
      try await StridedSnippets.failures(doubled) { lines.append("\($0)") }
      let two = try StridedMap(on: pool, stride: 3, buffer: 6)
      let angles = try two.add(0..<100) { Double($0) }
      let others = try two.add(0..<100) { $0 }
      try await StridedSnippets.standstill(angles)
      // It goes on when somebody takes.
      #expect(try await others.next() == 0)
    }
    #expect(lines == ["2", "failed in output 0", "6"])
  }
}
