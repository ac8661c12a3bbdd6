import Millrace
import MillraceIPC
import TestSupport
import Testing

/// Its worth is computed by a map of what is below it, on the same pool.
private func worth(_ level: Int, on pool: WorkerPool) async throws -> Int {
  if level == 0 { return 1 }
  return try await pool.map(0..<3) { _ in try await worth(level - 1, on: pool) }.reduce(0, +)
}

private struct NeverReady: Worker {
  struct Closed: Error {}
  func setUp(_ context: WorkerContext) throws { throw Closed() }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

extension Checked {
  /// A pool that is used by its own items.
  @Suite struct SamePool {
    @Test("U9: a map inside an item of the same pool", arguments: Backends.shared)
    func nested(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let sums = try await pool.map(0..<12, options: MapOptions(chunking: .size(1))) { row in
          try await pool.map(0..<10) { column in row * column }.reduce(0, +)
        }
        #expect(sums == (0..<12).map { $0 * 45 })
      }
    }

    @Test("U9: maps in maps, five deep", arguments: Backends.shared)
    func deep(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await worth(5, on: pool) == 243)
        #expect(try await pool.map(0..<3) { $0 } == [0, 1, 2])
      }
    }

    @Test("U9: streams, submissions and workers with a state, inside items", arguments: Backends.shared)
    func otherForms(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let found = try await pool.map(0..<4) { item in
          var sum = 0
          for try await output in pool.outputs(of: 0..<50, with: Times(factor: 2), order: .completion) { sum += output }
          sum += try await pool.run(item, with: AddOne())
          async let one = pool.map(0..<5, with: Times(factor: 3))
          async let other = pool.map(0..<5, with: Times(factor: 5))
          return try await sum + one.reduce(0, +) + other.reduce(0, +)
        }
        #expect(found == (0..<4).map { 2_450 + $0 + 1 + 30 + 50 })
      }
    }

    @Test("U9: each slot in its turn, inside an item", arguments: Backends.shared)
    func roundRobin(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        let found = try await pool.map(0..<3, options: options) { item in
          try await pool.map(0..<6, options: options) { $0 + item }
        }
        #expect(found == (0..<3).map { item in (0..<6).map { $0 + item } })
      }
    }

    @Test("U9: by way of another pool", arguments: Backends.shared)
    func throughAnother(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        try await withWorkerPool(.threads(1)) { other async throws in
          let found = try await pool.map(0..<6) { item in
            try await other.map([item]) { try await pool.map([$0, 1]) { $0 }.reduce(0, +) }[0]
          }
          #expect(found == (0..<6).map { $0 + 1 })
        }
      }
    }

    @Test(
      "U9: no more slots than twice the width stand in for one level",
      arguments: [WorkerPool.Backend.tasks(3), .threads(3)])
    func bounded(backend: WorkerPool.Backend) async throws {
      let counts = Lock((running: 0, most: 0))
      try await withWorkerPool(backend) { pool async throws in
        _ = try await pool.map(0..<50, options: MapOptions(chunking: .size(1))) { _ in
          counts.withLock { counts in
            counts.running += 1
            counts.most = max(counts.most, counts.running)
          }
          defer { counts.withLock { $0.running -= 1 } }
          return try await pool.map(0..<2) { $0 }
        }
      }
      #expect(counts.withLock { $0.most } <= 3)
    }

    @Test(
      "U35: a limit of what may wait does not count maps inside items, which have begun", arguments: Backends.shared)
    func queueLimit(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend, queueLimit: 0) { pool async throws in
        let found = try await pool.map(0..<20, options: MapOptions(chunking: .size(1))) { item in
          try await pool.map(0..<2) { $0 + item }
        }
        #expect(found == (0..<20).map { [$0, $0 + 1] })
      }
    }

    @Test(
      "U9: a worker that cannot be set up ends its map inside an item, and outside where there was one",
      .timeLimit(.minutes(1)), arguments: [WorkerPool.Backend.serial, .tasks(1), .threads(1), .threads(2)])
    func setUpFails(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let outer = try await pool.map(0..<4) { item in
          _ = await #expect(throws: WorkerPoolError.self) { try await pool.map([item], with: NeverReady()) }
          return try await pool.map([item]) { $0 }[0]
        }
        #expect(outer == [0, 1, 2, 3])
        await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1], with: NeverReady()) }
      }
    }

    @Test(
      "U9: after the pool was made narrower", .timeLimit(.minutes(1)),
      arguments: [WorkerPool.Backend.tasks(2), .threads(2)])
    func narrower(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        try pool.resize(to: 1)
        #expect(try await pool.map([1]) { item in try await pool.map([item, 2]) { $0 } } == [[1, 2]])
      }
    }

    @Test("U9: without end, it is refused", arguments: Backends.shared)
    func runaway(backend: WorkerPool.Backend) async throws {
      @Sendable func again(on pool: WorkerPool) async throws -> Int {
        try await pool.map([0]) { _ in try await again(on: pool) }[0]
      }
      try await withWorkerPool(backend) { pool async throws in
        let failure = await #expect(throws: ItemFailure.self) { _ = try await again(on: pool) }
        #expect("\(failure!)".contains("items of the same pool; at most 32 may be nested"))
      }
    }

    @Test("U9: its end inside an item is refused", arguments: Backends.shared)
    func end(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let ends: [@Sendable (WorkerPool) async throws -> Void] = [
          { try await $0.shutdown() }, { try await $0.terminate() }, { _ = try await $0.tearDown(AddOne()) },
        ]
        for end in ends {
          let failure = await #expect(throws: ItemFailure.self) {
            _ = try await pool.map([0]) { _ in try await end(pool) }
          }
          #expect((failure?.underlying as? WorkerPoolError)?.kind == .calledFromItem)
        }
        #expect(try await pool.map([1]) { $0 } == [1])
      }
    }

    @Test("U9: in a worker process the pool is refused, and it says what to do", arguments: Backends.isolating)
    func process(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let uses: [@Sendable (WorkerPool) async throws -> Void] = [
          { _ = try await $0.map([1]) { $0 } }, { try await $0.shutdown() }, { try $0.resize(to: 1) },
        ]
        for use in uses {
          let outcomes = pool.outcomes(of: [0]) { _ in try await use(pool) }
          for try await outcome in outcomes {
            guard case .failure(let failure) = outcome.result else { return #expect(Bool(false), "not refused") }
            #expect("\(failure)".contains("make a pool here"), "\(failure)")
          }
        }
        #expect(try await pool.map([1], with: AddOne()) == [2])
      }
    }
  }
}
