import Millrace
import TestSupport
import Testing

extension Checked {
  /// A failed item is one item's failure.
  @Suite struct Failures {
    static let chunkings: [MapOptions.Chunking] = [.size(1), .size(7), .size(64), .automatic]

    @Test("failures in the middle of chunks", arguments: Backends.Conforming.everything + Backends.remote)
    func middle(backend: WorkerPool.Backend) async throws {
      let worker = Picky(modulus: 13, remainder: 5)
      try await withWorkerPool(backend) { pool in
        for chunking in Self.chunkings {
          for order in [MapOptions.Order.input, .completion] {
            var seen: Set<Int> = []
            var last = -1
            let options = MapOptions(chunking: chunking)
            for try await outcome in pool.outcomes(of: 0..<200, with: worker, order: order, options: options) {
              #expect(seen.insert(outcome.index).inserted && outcome.input == outcome.index && outcome.attempt == 1)
              if order == .input { #expect(outcome.index == last + 1) }
              last = outcome.index
              switch outcome.result {
              case .success(let output): #expect(output == outcome.input * 2 && !worker.refuses(outcome.input))
              case .failure(let failure):
                #expect(worker.refuses(outcome.input) && failure.index == outcome.index)
                #expect(failure.slot == outcome.slot && failure.attempt == 1)
                #expect(failure.underlying as? Refused == Refused(item: outcome.input))
              }
            }
            #expect(seen.count == 200)
          }
        }
      }
    }

    @Test("the first failure ends a map, and the pool goes on", arguments: Backends.Conforming.everything)
    func failFast(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<3 {
          let failure = try await #require(throws: ItemFailure.self) {
            _ = try await pool.map(0..<1_000, with: Picky(modulus: 2_000, remainder: 700))
          }
          #expect(failure.index == 700 && failure.attempt == 1 && failure.underlying as? Refused == Refused(item: 700))
          #expect(try await pool.map(0..<5, with: AddOne()) == [1, 2, 3, 4, 5])
        }
      }
    }

    @Test("an endless map ends with its first failure", arguments: Backends.Conforming.all)
    func endlessFailFast(backend: WorkerPool.Backend) async throws {
      let drawn = CommonCounter()
      try await withWorkerPool(backend) { pool in
        _ = await #expect(throws: ItemFailure.self) {
          try await pool.forEach(Endless(drawn: drawn), with: Picky(modulus: 100, remainder: 99))
        }
      }
    }

    @Test("collect runs everything, then says all that failed", arguments: Backends.Conforming.all)
    func collect(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(7))
        let failures = try await #require(throws: ItemFailures.self) {
          _ = try await pool.map(0..<100, with: Picky(modulus: 10, remainder: 3), onFailure: .collect, options: options)
        }
        #expect(failures.count == 10 && failures.failures.map(\.index) == Array(stride(from: 3, to: 100, by: 10)))
        #expect(failures.description.contains("10 items failed"))
      }
    }

    @Test("skip leaves failed items out", arguments: Backends.Conforming.all)
    func skip(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(7))
        let outputs = try await pool.map(
          0..<20, with: Picky(modulus: 4, remainder: 0), onFailure: .skip, options: options)
        #expect(outputs == (0..<20).filter { $0 % 4 != 0 }.map { $0 * 2 })
      }
    }

    @Test("more failures than allowed end the map", arguments: Backends.Conforming.all)
    func maximumFailures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let worker = Picky(modulus: 10, remainder: 9)
        let error = try await #require(throws: WorkerPoolError.self) {
          _ = try await pool.map(0..<1_000, with: worker, onFailure: .skip, options: MapOptions(maximumFailures: 3))
        }
        #expect(error.kind == .tooManyFailures && error.underlying is ItemFailure)
        let within = MapOptions(maximumFailures: 10)
        #expect(try await pool.map(0..<100, with: worker, onFailure: .skip, options: within).count == 90)
      }
    }

    @Test(
      "errors arrive as they were thrown, or with type and text", arguments: Backends.Conforming.all.able(.runsClosures)
    )
    func errors(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let failure = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map([1]) { _ -> Int in throw Opaque(description: "out of cheese") }
        }
        #expect(failure.description.contains("out of cheese"))
        if let remote = failure.underlying as? RemoteError {
          #expect(remote.typeName.contains("Opaque") && remote.message == "out of cheese")
        } else {
          #expect(failure.underlying is Opaque)
        }
        struct Detailed: Error, Codable, Equatable { var code: Int }
        let detailed = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map([1]) { _ -> Int in throw Detailed(code: 7) }
        }
        #expect(detailed.underlying as? Detailed == Detailed(code: 7))
      }
    }
  }
}
