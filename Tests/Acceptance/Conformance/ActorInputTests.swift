import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

/// Inputs that run an actor's code, as a script has them: every closure in `main.swift` belongs to the main actor, and Swift ends the
/// program when another thread calls it.
extension Checked {
  @Suite struct ActorInput {
    /// What a program prints, and how it ended.
    private func run(_ name: String, _ words: String...) async throws -> (lines: [String], code: Int32) {
      try await onPlainThread {
        let program = try TestProgram(words, of: name, environment: ["SWIFT_BACKTRACE": "enable=no"])
        return (program.rest(), program.wait())
      }
    }

    private static let names = ["serial", "tasks", "threads"] + (ThreadSanitizer.isOn ? [] : ["processes"])

    @Test("U42: what holds the main actor's closures is read on the main actor", arguments: names)
    func topLevel(backend: String) async throws {
      let (lines, code) = try await run("TopLevelProgram", backend)
      let expected = [
        "lazy.map", "lazy.filter", "prefix(while:)", "drop(while:)", "sequence(first:)", "sequence(state:)",
        "AnySequence", "AnyIterator", "AnySequence of a closure", "enumerated", "zip", "zipped", "lazy of lazy",
        "flatMap", "joined", "reversed", "compactMap", "chunks", "a structure", "an object", "an existential",
        "an isolated conformance", "and what wraps it", "in a method", "forEach", "outputs", "outcomes",
        "outputs, elsewhere", "StridedMap", "large", "slow", "the actor is free meanwhile", "left", "read on", "end",
      ]
      #expect(lines == expected)
      #expect(code == 0)
    }

    @Test("U42: so is a sequence of a program whose default isolation is the main actor's", arguments: names)
    func defaultIsolation(backend: String) async throws {
      let (lines, code) = try await run("MainActorProgram", backend)
      #expect(lines == ["[6, 4, 2]", "[0, 2, 2]", "[2, 4, 6]"])
      #expect(code == 0)
    }

    @Test(
      "U42: what holds no such closure is read beside its actor, which may be blocked",
      arguments: Backends.Conforming.apart)
    @MainActor func liveSource(backend: WorkerPool.Backend) async throws {
      // Its second item comes when the outcome of the first is taken, here.
      let pool = try WorkerPool(backend)
      let (isTaken, taken) = (DispatchSemaphore(value: 0), Live(limit: 20))
      var count = 0
      for try await _ in pool.outputs(of: Answered(live: taken, isTaken: isTaken), with: AddOne()) {
        count += 1
        isTaken.signal()
      }
      #expect(count == 20)
      try await pool.shutdown()
    }
  }
}

private struct Live: Sendable { let limit: Int }

/// Gives an item when somebody has taken the one before.
private struct Answered: Sequence, IteratorProtocol {
  let live: Live
  let isTaken: DispatchSemaphore
  var given = 0

  init(live: Live, isTaken: DispatchSemaphore) { (self.live, self.isTaken) = (live, isTaken) }

  mutating func next() -> Int? {
    if given > 0 { isTaken.wait() }
    defer { given += 1 }
    return given < live.limit ? given : nil
  }
}
