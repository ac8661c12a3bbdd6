import Millrace
import TestSupport
import Testing

/// Never gets set up.
private struct Unready: Worker, Codable {
  var waits: Bool

  func setUp(_ context: WorkerContext) async throws {
    if waits { while !Task.isCancelled { try? await Task.sleep(for: .milliseconds(1)) } }
    throw Refused(item: 17)
  }

  func process(_ item: Int, state: inout Void) -> Int { item }
}

extension Checked {
  @Suite struct Time {
    @Test("an item that is too slow fails alone", arguments: Backends.Conforming.everything + Backends.remote)
    func item(backend: WorkerPool.Backend) async throws {
      let limit = Duration.milliseconds(100)
      let options = MapOptions(chunking: .size(8), timeouts: MapOptions.Timeouts(item: limit))
      try await withWorkerPool(backend) { pool in
        var index = 0
        for try await outcome in pool.outcomes(of: 0..<40, with: Stuck(items: [11]), options: options) {
          #expect(outcome.index == index)
          if index == 11 {
            guard case .failure(let failure) = outcome.result, case .timedOut(limit) = failure.cause else {
              Issue.record("item 11: \(outcome.result)")
              continue
            }
            #expect(failure.index == 11)
          } else {
            #expect(try outcome.output == index)
          }
          index += 1
        }
        #expect(index == 40)
      }
    }

    @Test("a consumer that waits too long may go on waiting", arguments: Backends.Conforming.apart.able(.runsClosures))
    func next(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(1), nextTimeout: .milliseconds(50))
        let stream = pool.outputs(of: 0..<3, options: options) { item in
          if item == 1 { await gate.wait(for: 1) }
          return item
        }
        var outputs: [Int] = []
        var timeouts = 0
        var iterator = stream.makeAsyncIterator()
        while true {
          do {
            guard let output = try await iterator.next() else { break }
            outputs.append(output)
          } catch let error as WorkerPoolError where error.kind == .nextTimedOut {
            timeouts += 1
            // A slow start may time out too: the gate opens when the wait is for the second item.
            if outputs == [0] { gate.set(1) }
          }
        }
        #expect(outputs == [0, 1, 2] && timeouts >= 1)
      }
    }

    @Test("set-up that fails ends the map with its error", arguments: Backends.Conforming.everything + Backends.remote)
    func setUpFails(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let error = try await #require(throws: WorkerPoolError.self) {
          _ = try await pool.map(0..<100, with: Unready(waits: false))
        }
        #expect(error.kind == .setUpFailed && "\(error)".contains("17"))
        let single = await #expect(throws: WorkerPoolError.self) {
          _ = try await pool.run(1, with: Unready(waits: false))
        }
        #expect(single?.kind == .setUpFailed)
        #expect(try await pool.map(0..<3, with: AddOne()) == [1, 2, 3])
      }
    }

    @Test("set-up that takes too long ends the map", arguments: Backends.Conforming.apart)
    func setUpTimesOut(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(timeouts: MapOptions.Timeouts(setUp: .milliseconds(100)))
        let error = try await #require(throws: WorkerPoolError.self) {
          _ = try await pool.map(0..<100, with: Unready(waits: true), options: options)
        }
        #expect(error.kind == .setUpFailed)
        if case .timedOut(.milliseconds(100))? = (error.underlying as? WorkerFailure)?.cause {
        } else {
          Issue.record("\(error)")
        }
        #expect(try await pool.map(0..<3, with: AddOne()) == [1, 2, 3])
      }
    }

    @Test("a cancelled map ends at once, and the pool goes on", arguments: Backends.Conforming.all.able(.runsClosures))
    func cancellation(backend: WorkerPool.Backend) async throws {
      let begun = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        let map = Task {
          try await pool.map(0..<1_000, options: MapOptions(chunking: .size(1))) { item in
            let context = WorkerContext.current!
            begun.increment()
            while !context.isCancelled { await Task.yield() }
            return item
          }
        }
        await begun.wait(for: 1)
        map.cancel()
        await #expect(throws: CancellationError.self) { _ = try await map.value }
        #expect(try await pool.map(0..<3, with: AddOne()) == [1, 2, 3])
      }
    }
  }
}
