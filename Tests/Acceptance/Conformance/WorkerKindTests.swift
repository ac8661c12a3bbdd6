import Millrace
import TestSupport
import Testing

private struct PrivateWorker: StatelessWorker {
  func process(_ item: Int) -> Int { item + 2 }
}

private struct PrivateConfigured: StatelessWorker, Codable {
  var words: [String]
  func process(_ item: Int) -> String { words[item] }
}

struct GenericWorker<Element: FixedWidthInteger & Codable & Sendable>: StatelessWorker, Codable {
  var by: Element
  func process(_ item: Element) -> Element { item &* by }
}

/// Keeps what belongs to it, open as long as it lives.
final class Station: Sendable {
  let slot: Int
  init(slot: Int) { self.slot = slot }
}

struct ClassState: Worker {
  func setUp(_ context: WorkerContext) async -> Station { Station(slot: context.slot) }
  func process(_ item: Int, state: inout Station) async -> Int { state.slot }
}

extension Checked {
  @Suite struct WorkerKinds {
    @Test("private, local and generic types, and state of any kind", arguments: Backends.Conforming.everything)
    func types(backend: WorkerPool.Backend) async throws {
      struct LocalWorker: StatelessWorker {
        func process(_ item: Int) -> Int { item + 3 }
      }
      struct LocalConfigured: StatelessWorker, Codable {
        var text: String
        func process(_ item: Int) -> String { text + String(item) }
      }
      try await withWorkerPool(backend) { pool in
        #expect(try await pool.map(0..<3, with: PrivateWorker()) == [2, 3, 4])
        #expect(try await pool.map(0..<2, with: PrivateConfigured(words: ["zero", "one"])) == ["zero", "one"])
        #expect(try await pool.map(0..<3, with: LocalWorker()) == [3, 4, 5])
        #expect(try await pool.map(0..<2, with: LocalConfigured(text: "nr. ")) == ["nr. 0", "nr. 1"])
        #expect(try await pool.map([1, 2] as [UInt8], with: GenericWorker<UInt8>(by: 200)) == [200, 144])
        #expect(try await pool.map([1, 2], with: GenericWorker<Int>(by: 200)) == [200, 400])
        for try await outcome in pool.outcomes(of: 0..<9, with: ClassState(), options: MapOptions(chunking: .size(1))) {
          // An agent's worker has a slot of the agent's.
          #expect(try outcome.output == outcome.slot || backend.kind.abilities.contains(.sharesWorkers))
        }
      }
    }

    @Test(
      "closures, with what they capture and with their context",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func closures(backend: WorkerPool.Backend) async throws {
      let table = (0..<50).map { "row \($0)" }
      let offset = 7
      try await withWorkerPool(backend) { pool in
        #expect(try await pool.map(0..<50) { table[$0] } == table)
        #expect(try await pool.map(0..<50) { item in item + offset } == (0..<50).map { $0 + 7 })
        let seen = try await pool.map(10..<30) { item in
          let context = WorkerContext.current!
          return [item, context.index, context.attempt]
        }
        #expect(seen == (0..<20).map { [$0 + 10, $0, 1] })
        let slots = try await pool.map(0..<30) { _ in WorkerContext.current!.slot }
        #expect(slots.allSatisfy { (0..<pool.width).contains($0) })
      }
    }

    @Test("asynchronous closures", arguments: Backends.Conforming.everything.able(.runsClosures))
    func asynchronous(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map(0..<50) { item in
          await Task.yield()
          return item * 2
        }
        #expect(outputs == (0..<50).map { $0 * 2 })
      }
    }

    @Test("random numbers are the same on every backend", arguments: Backends.Conforming.everything.able(.runsClosures))
    func random(backend: WorkerPool.Backend) async throws {
      func numbers(_ pool: WorkerPool, _ chunking: MapOptions.Chunking) async throws -> [Int] {
        try await pool.map(0..<40, options: MapOptions(chunking: chunking, seed: 5)) { _ in
          let context = WorkerContext.current!
          var random = context.random
          return Int.random(in: 0..<1_000_000, using: &random)
        }
      }
      let expected = (0..<40).map { index in
        var random = ItemRandom(seed: 5, index: index)
        return Int.random(in: 0..<1_000_000, using: &random)
      }
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await numbers(pool, .size(1)) == expected)
        #expect(try await numbers(pool, .size(16)) == expected)
      }
    }
  }
}
