import Foundation
import Millrace
import TestSupport
import Testing

/// Takes a moment.
private struct Brief: StatelessWorker {
  func process(_ item: Int) -> Int {
    usleep(500)
    return item
  }
}

extension Checked {
  /// One pool, many users.
  @Suite struct Concurrency {
    @Test("several maps at once", arguments: Backends.Conforming.everything.able(.runsClosures))
    func severalMaps(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        try await withThrowingTaskGroup { group in
          for factor in 1...4 {
            group.addTask { () async throws in
              #expect(try await pool.map(0..<300, with: Times(factor: factor)) == (0..<300).map { $0 * factor })
            }
            group.addTask {
              let outputs = try await pool.map(0..<100) { item in
                await Task.yield()
                return item - factor
              }
              #expect(outputs == (0..<100).map { $0 - factor })
            }
          }
          try await group.waitForAll()
        }
      }
    }

    /// Each closure has a process of its own in each slot, so a slot hears of them in any order.
    @Test(
      "maps of several closures at once run each item once",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func closuresAtOnce(backend: WorkerPool.Backend) async throws {
      let runs = CommonCounter()
      try await withWorkerPool(backend) { pool in
        try await withThrowingTaskGroup { group in
          for factor in 1...4 {
            group.addTask {
              let outputs = try await pool.map(0..<100, options: MapOptions(chunking: .size(3))) { item in
                runs.increment()
                await Task.yield()
                return item * factor
              }
              #expect(outputs == (0..<100).map { $0 * factor })
            }
          }
          try await group.waitForAll()
        }
      }
      #expect(runs.value == 400)
    }

    @Test(
      "a map of another worker gets its turn beside a stream without an end", arguments: Backends.Conforming.everything)
    func besideAnEndlessStream(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let taken = CommonCounter()
        let endless = Task {
          let items = sequence(first: 0) { $0 + 1 }
          for try await _ in pool.outputs(
            of: items, with: Brief(), options: MapOptions(chunking: .size(1), window: .items(64)))
          {
            taken.increment()
          }
        }
        while taken.value < 100 { await Task.yield() }
        let outputs = try await pool.map(0..<10, with: Times(factor: 2))
        #expect(outputs == (0..<10).map { $0 * 2 })
        let before = taken.value
        while taken.value < before + 100 { await Task.yield() }
        endless.cancel()
        _ = await endless.result
      }
    }

    @Test("a stream and a map take turns", arguments: Backends.Conforming.all)
    func interleaved(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var count = 0
        for try await output in pool.outputs(of: 0..<60, with: AddOne(), options: MapOptions(chunking: .size(3))) {
          count += 1
          #expect(output == count)
          if output % 10 == 0 {
            #expect(try await pool.map(0..<output, with: AddOne()) == Array(1...output))
          }
        }
        #expect(count == 60)
      }
    }

    @Test("a pool inside a worker", arguments: [WorkerPool.Backend.tasks(3), .threads(3), .processes(2)].runnable)
    func nested(backend: WorkerPool.Backend) async throws {
      struct Outer: StatelessWorker {
        func process(_ item: Int) async throws -> Int {
          try await withWorkerPool(.threads()) { pool in
            try await pool.map(0..<item, with: AddOne()).reduce(0, +)
          }
        }
      }
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(1...6, with: Outer()) == [1, 3, 6, 10, 15, 21])
      }
    }

    @Test("fold combines outcomes as they come", arguments: Backends.Conforming.everything)
    func fold(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let totals = try await pool.outcomes(of: 0..<100, with: Picky(modulus: 4, remainder: 0)).reduce(
          into: (sum: 0, failed: 0)
        ) {
          switch $1.result {
          case .success(let output): $0.sum += output
          case .failure: $0.failed += 1
          }
        }
        #expect(totals == ((0..<100).filter { $0 % 4 != 0 }.reduce(0) { $0 + $1 * 2 }, 25))
        await #expect(throws: Refused(item: 3)) {
          try await pool.outcomes(of: 0..<100, with: AddOne(), order: .completion).reduce(into: 0) { sum, outcome in
            sum += 1
            if sum == 3 { throw Refused(item: 3) }
          }
        }
        #expect(try await pool.map([1], with: AddOne()) == [2])
      }
    }
  }
}
