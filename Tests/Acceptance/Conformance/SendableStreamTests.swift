import Millrace
import TestSupport
import Testing

extension Checked {
  /// Streams as values that go to other tasks.
  @Suite struct SendableStreams {
    /// As `cancelOnGracefulShutdown()` and other extensions of asynchronous sequences ask for it.
    private func sum<S: AsyncSequence & Sendable>(_ items: S) async throws -> Int where S.Element == Int {
      try await Task {
        var sum = 0
        for try await item in items { sum += item }
        return sum
      }.value
    }

    private func outputs<S: AsyncSequence & Sendable, Output: Sendable>(
      _ items: S
    ) async throws -> [Output] where S.Element == Outcome<Int, Output> {
      try await Task {
        var outputs: [Output] = []
        for try await outcome in items { outputs.append(try outcome.result.get()) }
        return outputs
      }.value
    }

    @Test(
      "U34: a stream of a Sendable input goes to another task, and to several",
      arguments: Backends.Conforming.everything)
    func streams(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let stream = pool.outputs(of: 0..<100, with: Times(factor: 2))
        async let first = sum(stream)
        async let second = sum(stream)
        #expect(try await [first, second] == [9_900, 9_900])
        #expect(try await sum(pool.outputs(of: [1, 2, 3], with: AddOne())) == 9)
        #expect(try await outputs(pool.outcomes(of: 0..<3, with: Times(factor: 3))) == [0, 3, 6])
      }
    }

    @Test(
      "U34: so does one of a closure, and of an asynchronous input",
      arguments: Backends.Conforming.all.able(.runsClosures))
    func asynchronous(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let (events, continuation) = AsyncStream.makeStream(of: Int.self)
        for event in 1...4 { continuation.yield(event) }
        continuation.finish()
        #expect(try await sum(pool.outputs(of: events) { $0 * 10 }) == 100)
        #expect(try await outputs(pool.outcomes(of: [1, 2], order: .completion) { "\($0)" }).sorted() == ["1", "2"])
      }
    }

    @Test("U34: an endless stream ends when its task is cancelled", arguments: Backends.Conforming.everything)
    func cancelled(backend: WorkerPool.Backend) async throws {
      let taken = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let stream = pool.outputs(of: 0..., with: Times(factor: 2))
        let task = Task { for try await _ in stream { taken.increment() } }
        await taken.wait(for: 1)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await pool.run(1, with: AddOne()) == 2)
      }
    }
  }
}
