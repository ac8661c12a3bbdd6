import Millrace
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Sets up for an hour, or until it is cancelled.
private struct LongSetUp: Worker {
  let begun: CommonCounter
  let cancelled: CommonCounter

  func setUp(_ context: WorkerContext) async throws {
    begun.increment()
    do {
      try await Task.sleep(for: .seconds(3_600))
    } catch {
      cancelled.increment()
      throw error
    }
  }

  func process(_ item: Int, state: inout Void) -> Int { item }
}

private struct Uncancelled: Worker {
  func setUp(_ context: WorkerContext) async throws { try Task.checkCancellation() }
  func process(_ item: Int, state: inout Void) throws -> Int {
    try Task.checkCancellation()
    return item
  }
  func tearDown(_ state: Void) throws -> Bool {
    try Task.checkCancellation()
    return true
  }
}

/// Its set-up waits for the gate, whoever is cancelled.
private struct GatedSetUp: Worker {
  let gate: CommonCounter
  func setUp(_ context: WorkerContext) async { await gate.wait(for: 1) }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

private struct HangingSetUp: Worker, Codable {
  func setUp(_ context: WorkerContext) { while true { sleep(1_000) } }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

private struct PlusOne: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item + 1 }
}

extension Checked {
  /// What a worker's code is at when nobody wants it any more, and what is left to do for whoever waits for the end.
  @Suite struct Unwanted {
    @Test(
      "a set-up that nobody wants any more is cancelled, and nothing else of its slot",
      arguments: [WorkerPool.Backend.threads(2), .tasks(2)])
    func setUps(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(20)) {
        let worker = LongSetUp(begun: CommonCounter(), cancelled: CommonCounter())
        let pool = try WorkerPool(backend)
        let map = Task { try await pool.map(0..<10, with: worker) }
        await worker.begun.wait(for: 1)
        map.cancel()
        await #expect(throws: CancellationError.self) { try await map.value }
        #expect(try await pool.map(0..<1_000, with: Uncancelled()) == Array(0..<1_000))
        #expect(try await pool.tearDown(Uncancelled()).allSatisfy { try $0.result.get() })

        // A slot that nobody needed since may still be at it.
        await worker.cancelled.wait(for: worker.begun.value)
        let cancelled = worker.cancelled.value
        let other = Task { try await pool.map(0..<10, with: worker) }
        await worker.begun.wait(for: cancelled + 1)
        other.cancel()
        try await pool.shutdown()
        await #expect(throws: CancellationError.self) { try await other.value }
        #expect(worker.cancelled.value == worker.begun.value)
      }
    }

    /// A map that is given up in the worker's set-up, and another one.
    private func giveUp<W: Worker>(_ worker: W, on pool: WorkerPool) async throws
    where W.Input == Int, W.Output == Int {
      let options = MapOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(200)))
      let error = await #expect(throws: WorkerPoolError.self) {
        _ = try await pool.map(0..<5, with: worker, options: options)
      }
      #expect(error?.kind == .timedOut)
      #expect(try await pool.map(0..<100, with: PlusOne()) == Array(1...100))
    }

    @Test(
      "a set-up that hangs, of a map that was given up, holds no other map up",
      arguments: [WorkerPool.Backend.threads(1), .tasks(1)])
    func hangs(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(20)) {
        let gate = CommonCounter()
        let pool = try WorkerPool(backend)
        try await giveUp(GatedSetUp(gate: gate), on: pool)
        // What was given up runs on.
        gate.set(1)
        try await pool.shutdown()
      }
    }

    @Test(
      "the same in a worker process, which is ended",
      arguments: [WorkerPool.Backend.processes(1), Backends.spawning].runnable)
    func hangsInProcess(backend: WorkerPool.Backend) async throws {
      try await withDeadline(.seconds(20)) {
        try await withWorkerPool(backend) { pool in try await giveUp(HangingSetUp(), on: pool) }
      }
    }

    @Test("what a map leaves to do in a serial pool is done for who waits for a worker's end, or the pool's")
    func serial() async throws {
      try await withDeadline(.seconds(20)) {
        let pool = try WorkerPool(.serial)
        for ending in ["worker", "pool"] {
          let (items, continuation) = AsyncStream.makeStream(of: Int.self)
          let first = CommonCounter()
          let map = Task {
            var outputs: [Int] = []
            for try await output in pool.outputs(of: items, with: Uncancelled()) {
              outputs.append(output)
              first.increment()
            }
            return outputs
          }
          continuation.yield(1)
          await first.wait(for: 1)
          let end = Task {
            if ending == "pool" {
              try await pool.shutdown()
              return 1
            }
            return try await pool.tearDown(Uncancelled()).count { try $0.result.get() }
          }
          if ending == "pool" {
            // From when it takes no more.
            while (try? await pool.map([Int](), with: Uncancelled())) != nil { await Task.yield() }
          }
          // It has looked for something to do, and found nothing.
          for _ in 0..<1_000 { await Task.yield() }
          continuation.yield(2)
          continuation.finish()
          if ending == "pool" {
            let error = await #expect(throws: WorkerPoolError.self) { try await map.value }
            #expect(error?.kind == .closed)
          } else {
            #expect(try await map.value == [1, 2])
          }
          #expect(try await end.value == 1)
        }
      }
    }
  }
}
