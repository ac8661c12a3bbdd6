import Foundation
import Millrace
import TestSupport
import Testing

/// Cannot travel, and is not asked to.
private final class Original: Sendable {
  let name: String
  init(name: String) { self.name = name }
}

private struct Sketch: Sendable {
  @Unsent var original: Original?
  var name: String
}

private struct CodableSketch: Sendable, Codable {
  @Unsent var original: Original?
  var name: String
}

/// Says whether it sees the original.
private struct Sees: StatelessWorker {
  func process(_ sketch: Sketch) -> String { "\(sketch.name) \(sketch.original != nil)" }
}

private struct SeesCodable: StatelessWorker, Codable {
  func process(_ sketch: CodableSketch) -> String { "\(sketch.name) \(sketch.original != nil)" }
}

private struct ThrowsAlways: StatelessWorker, Codable {
  func process(_ item: String) throws -> Int { throw Refused(item: item.count) }
}

extension Checked {
  /// What of an item travels, and what of it comes back with a failure.
  @Suite struct ItemParts {
    private static func isSent(_ pool: WorkerPool) async throws -> Bool {
      try await pool.run { ProcessInfo.processInfo.processIdentifier } != ProcessInfo.processInfo.processIdentifier
    }

    @Test(
      "a part travels, a part stays, and is there with the outcome",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func unsent(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let sees = try await !Self.isSent(pool)
        let originals = (0..<40).map { Original(name: "\($0)") }
        var index = 0
        for try await outcome in pool.outcomes(
          of: originals.map { Sketch(original: $0, name: $0.name) }, with: Sees())
        {
          #expect(try outcome.output == "\(index) \(sees)")
          #expect(outcome.input.original === originals[index])
          index += 1
        }
        #expect(index == 40)
        let coded = originals.map { CodableSketch(original: $0, name: $0.name) }
        #expect(try await pool.map(coded, with: SeesCodable()) == (0..<40).map { "\($0) \(sees)" })
      }
    }

    @Test("the part that stays is no part of any coding")
    func coding() throws {
      let data = try JSONEncoder().encode([CodableSketch(original: Original(name: "a"), name: "a")])
      #expect(!String(decoding: data, as: UTF8.self).contains("Original"))
      let back = try JSONDecoder().decode([CodableSketch].self, from: data)
      #expect(back[0].name == "a" && back[0].original == nil)
    }

    @Test("a failure has its map's input, whatever the policy", arguments: Backends.Conforming.everything)
    func inputOfFailure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let first = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map(["", "a", "bc"], with: ThrowsAlways())
        }
        #expect(first.input as? String == ["", "a", "bc"][first.index])
        let all = try await #require(throws: ItemFailures.self) {
          _ = try await pool.map(["", "a", "bc"], with: ThrowsAlways(), onFailure: .collect)
        }
        #expect(all.failures.map { $0.input as? String } == ["", "a", "bc"])
        for try await outcome in pool.outcomes(of: ["x", "yz"], with: ThrowsAlways()) {
          guard case .failure(let failure) = outcome.result else { continue }
          #expect(failure.input as? String == outcome.input)
        }
        let single = try await #require(throws: ItemFailure.self) {
          _ = try await pool.run("xyz", with: ThrowsAlways())
        }
        #expect(single.input as? String == "xyz" && !"\(single)".contains("xyz"))
      }
    }

    @Test("a retry's condition sees the item")
    func inputOfAttempt() async throws {
      try await withWorkerPool(.threads(1)) { pool in
        let retry = MapOptions.Retry.upTo(3) { $0.input as? String == "a" }
        let failures = try await #require(throws: ItemFailures.self) {
          _ = try await pool.map(
            ["a", "b"], with: ThrowsAlways(), onFailure: .collect, options: MapOptions(retry: retry))
        }
        #expect(failures.failures.map(\.attempt) == [4, 1])
      }
    }
  }
}
