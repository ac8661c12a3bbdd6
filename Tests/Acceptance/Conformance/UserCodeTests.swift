import Millrace
import TestSupport
import Testing

/// Uses the pool when it goes.
private final class Clinger: Sendable {
  let pool: WorkerPool
  let gone: CommonCounter
  init(_ pool: WorkerPool, _ gone: CommonCounter) { (self.pool, self.gone) = (pool, gone) }
  deinit { if pool.width > 0 { gone.increment() } }
}

private struct Complaint: Error {
  let clinger: Clinger
}

extension Checked {
  /// Code of a user's that the pool runs besides its items: none of it under a lock.
  @Suite struct UserCode {
    @Test("U8: a cancelled item's handler uses the pool", arguments: [WorkerPool.Backend.tasks(2), .threads(2)])
    func cancellationHandler(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for _ in 0..<20 {
          let begun = CommonCounter()
          let handled = CommonCounter()
          let map = Task {
            try await pool.map(0..<2, options: MapOptions(chunking: .size(1))) { _ in
              // The item ends when its handler has: else it might be gone before it was called.
              let isHandled = CommonCounter()
              await withTaskCancellationHandler {
                begun.increment()
                await isHandled.wait(for: 1)
              } onCancel: {
                if pool.width == 2 { handled.increment() }
                isHandled.increment()
              }
            }
          }
          await begun.wait(for: 2)
          map.cancel()
          await #expect(throws: CancellationError.self) { try await map.value }
          await handled.wait(for: 2)
        }
      }
    }

    @Test(
      "U8: an item that waits for its own pool is cancelled, fails fast, or loses its consumer",
      arguments: Backends.shared)
    func nestedAndGivenUp(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let inner: @Sendable (Int) async throws -> [Int] = { item in
          if item == 3 { throw Refused(item: item) }
          return try await pool.map(0..<4) { inner in
            try await Task.sleep(for: .milliseconds(1))
            return inner + item
          }
        }
        for round in 0..<10 {
          await #expect(throws: (any Error).self) { _ = try await pool.map(0..<8, inner) }
          for try await output in pool.outputs(of: 0..<8, onFailure: .skip, inner) where output[0] >= round % 3 {
            break
          }
          let map = Task { try await pool.map(4..<12, inner) }
          await Task.yield()
          map.cancel()
          _ = try? await map.value
        }
        #expect(try await pool.map(0..<2) { $0 } == [0, 1])
      }
    }

    @Test("U8: what inputs, outputs, errors and closures let go of uses the pool", arguments: Backends.shared)
    func deinitializers(backend: WorkerPool.Backend) async throws {
      let gone = CommonCounter()
      var made = 0
      try await withWorkerPool(backend) { pool async throws in
        func clinger() -> Clinger {
          made += 1
          return Clinger(pool, gone)
        }
        for round in 0..<5 {
          let inputs = (0..<40).map { _ in clinger() }
          let captured = clinger()
          let outputs = pool.outcomes(of: inputs, order: .input, options: MapOptions(chunking: .size(3))) { input in
            if captured.pool.width == 0 || round == 1 { throw Complaint(clinger: input) }
            return input
          }
          for try await outcome in outputs where outcome.index == 20 { break }
          let failing = inputs
          _ = try? await pool.map(failing, options: MapOptions(chunking: .size(2))) { input -> Int in
            throw Complaint(clinger: input)
          }
        }
      }
      await gone.wait(for: made)
      #expect(gone.value == made)
    }
  }
}
