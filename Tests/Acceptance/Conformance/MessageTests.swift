import Millrace
import MillraceTesting
import TestSupport
import Testing

/// An error as most write them.
private enum Hitch: Error {
  case a
  case b(Int)
}

private protocol Shape: Sendable {}
private struct Circle: Shape {}
private final class Box: Sendable {}

private struct Measure: StatelessWorker {
  func process(_ item: any Shape) -> Int { 1 }
}

private struct Failing: StatelessWorker {
  func process(_ item: Int) throws -> Int { throw item == 0 ? Hitch.a : Hitch.b(item) }
}

extension Checked {
  /// What errors say to those who have to mend something.
  @Suite struct Messages {
    @Test("U40: an input that is an existential is told what can be sent instead", .forks)
    func existential() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let error = await #expect(throws: WorkerPoolError.self) {
          try await pool.map([Circle()] as [any Shape], with: Measure())
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("cannot run in worker processes, for its input: Values of any "), "\(text)")
        #expect(text.contains("Send an enumeration with a case for each possibility"), "\(text)")
        #expect(!text.contains("Make the type Codable"), "\(text)")
      }
    }

    @Test("U40: what a closure cannot send is said of the closure", .forks)
    func closure() async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let error = await #expect(throws: WorkerPoolError.self) { try await pool.map([1]) { _ in Box() } }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.hasPrefix("the closure (Swift.Int) -> "), "\(text)")
        #expect(text.contains("Box cannot run in worker processes, for its output: "), "\(text)")
        #expect(text.contains("Make the type Codable"), "\(text)")
      }
    }

    @Test("U40: an error that is an enumeration is quoted with its type", arguments: Backends.Conforming.everything)
    func enumerations(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var texts: [String] = []
        for try await outcome in pool.outcomes(of: [0, 3], with: Failing()) {
          if case .failure(let failure) = outcome.result { texts.append("\(failure)") }
        }
        #expect(texts.count == 2)
        #expect(texts.first?.hasSuffix("threw Hitch.a") == true, "\(texts)")
        #expect(texts.last?.hasSuffix("threw Hitch.b(3)") == true, "\(texts)")
      }
    }

    @Test("U40: an option is named as the caller writes it, with what it may be")
    func options() async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        var options = MapOptions()
        options.lifespan.memory = 1_000
        await expect("lifespan.memory is 1000: it has to be nil here", of: pool, options)
        options = MapOptions(retry: .upTo(1, backoff: .constant(.seconds(-1))))
        await expect("retry.backoff.initial is -1.0 seconds: it has to be at least zero", of: pool, options)
      }
    }

    @Test("U41: a longest delay below the first is refused")
    func backoff() async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        let backoff = MapOptions.Backoff.exponential(.seconds(10), maximum: .seconds(1))
        await expect(
          "retry.backoff.maximum is 1.0 seconds: it has to be at least the first delay, 10.0 seconds", of: pool,
          MapOptions(retry: .upTo(1, backoff: backoff)))
      }
    }

    @Test("U41: a number of failures for a map that ends with the first is refused")
    func failures() async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        let options = MapOptions(maximumFailures: 3)
        await expect("maximumFailures is 3: it has to be nil with .failFast", of: pool, options)
        #expect(try await pool.map([1], with: AddOne(), onFailure: .collect, options: options) == [2])
        for try await outcome in pool.outcomes(of: [1], with: AddOne(), options: options) {
          #expect(try outcome.output == 2)
        }
      }
    }

    @Test("U41: a pool that was shut down is not resized", arguments: Backends.Conforming.everything)
    func resize(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      try pool.resize(to: 1)
      try await pool.shutdown()
      let error = #expect(throws: WorkerPoolError.self) { try pool.resize(to: 1) }
      #expect(error?.kind == .closed)
    }

    private func expect(_ text: String, of pool: WorkerPool, _ options: MapOptions) async {
      let error = await #expect(throws: InvalidOption.self) {
        try await pool.map([1], with: AddOne(), options: options)
      }
      #expect(error.map { "\($0)".hasPrefix(text) } == true, "\(error.map { "\($0)" } ?? "nothing")")
    }
  }
}
