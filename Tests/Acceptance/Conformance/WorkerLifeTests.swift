import Millrace
import TestSupport
import Testing

extension Checked {
  /// Set-up, state, tear-down, lifespan and the number of slots.
  @Suite struct WorkerLife {
    // Agents keep their workers, and what those hand back.
    @Test("every instance hands its last value back", arguments: Backends.Conforming.everything.without(.sharesWorkers))
    func exits(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let worker = Counting()
        for _ in 0..<2 { _ = try await pool.map(0..<100, with: worker, options: MapOptions(chunking: .size(5))) }
        let exits = try await pool.tearDown(worker)
        #expect(exits.map(\.slot) == Array(0..<pool.width))
        #expect(try exits.reduce(0) { $0 + (try $1.result.get()) } == 200)
        #expect(try await pool.tearDown(worker).isEmpty)
        // It can be used again, and begins anew.
        #expect(try await pool.map([1], with: worker) == [1])
        #expect(try await pool.tearDown(worker).reduce(0) { $0 + (try $1.result.get()) } == 1)
      }
    }

    @Test(
      "workers are kept for equal ones, unless told otherwise",
      arguments: Backends.Conforming.all.without(.sharesWorkers))
    func keeping(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        let once = Array(repeating: 1, count: pool.width)
        #expect(try await pool.map(0..<pool.width, with: Counting(modulus: 0), options: options) == once)
        #expect(try await pool.map(0..<pool.width, with: Counting(modulus: 0), options: options) == once.map { $0 * 2 })
        // Not equal: instances of its own.
        #expect(try await pool.map(1..<pool.width + 1, with: Counting(modulus: 99), options: options) == once)
        var fresh = options
        fresh.keepsWorkers = false
        #expect(try await pool.map(0..<pool.width, with: Counting(modulus: 0), options: fresh) == once)
      }
    }

    @Test(
      "a worker is replaced at the end of its lifespan",
      arguments: Backends.Conforming.everything.without(.sharesWorkers))
    func lifespan(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let worker = Counting()
        let options = MapOptions(chunking: .size(5), lifespan: MapOptions.Lifespan(items: 10))
        let outputs = try await pool.map(0..<100, with: worker, options: options)
        #expect(outputs.count == 100 && outputs.max() == 10)
        let counts = try await pool.tearDown(worker).map { try $0.result.get() }
        #expect(counts.reduce(0, +) == 100 && counts.allSatisfy { $0 <= 10 } && counts.count >= 10)
        #expect(counts.count <= 10 + pool.width)
      }
    }

    @Test("a worker that is old is replaced", arguments: Backends.Conforming.all.without(.sharesWorkers))
    func age(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let worker = Counting()
        let options = MapOptions(chunking: .size(5), lifespan: MapOptions.Lifespan(age: .nanoseconds(1)))
        #expect(
          try await pool.map(0..<50, with: worker, options: options)
            == Array(repeating: [1, 2, 3, 4, 5], count: 10).flatMap(\.self))
      }
    }

    @Test("slots may come and go during a map", arguments: Backends.Conforming.apart.able(.runsClosures))
    func resize(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var outputs: [Int] = []
        let options = MapOptions(chunking: .size(2))
        for try await output in pool.outputs(of: 0..<400, with: AddOne(), options: options) {
          outputs.append(output)
          if let width = [50: 5, 100: 1, 200: 2, 300: 4][output] { try pool.resize(to: width) }
        }
        #expect(outputs == Array(1...400) && pool.width == 4)
        let begun = CommonCounter()
        // All of the new width run at once.
        let slots = try await pool.map(0..<4, options: MapOptions(chunking: .size(1))) { _ in
          let context = WorkerContext.current!
          await begun.meet(4)
          return context.slot
        }
        #expect(Set(slots) == [0, 1, 2, 3])
      }
    }

    @Test("a width that cannot be is refused", arguments: Backends.Conforming.all)
    func badWidth(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        #expect(throws: InvalidOption.self) { try pool.resize(to: 0) }
        #expect(throws: InvalidOption.self) { try pool.resize(to: 100_000) }
      }
      #expect(throws: InvalidOption.self) { _ = try WorkerPool(.threads(0)) }
    }

    @Test("a serial pool has one slot")
    func serialWidth() async throws {
      try await withWorkerPool(.serial) { pool async throws in
        #expect(throws: InvalidOption.self) { try pool.resize(to: 2) }
        #expect(try await pool.map(0..<9, with: AddOne(), options: MapOptions(dispatch: .roundRobin)) == Array(1...9))
      }
    }

    @Test("round robin: chunk i runs in slot i modulo the width", arguments: Backends.Conforming.everything)
    func roundRobin(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for size in [1, 3] {
          let options = MapOptions(chunking: .size(size), dispatch: .roundRobin)
          for try await outcome in pool.outcomes(of: 0..<60, with: AddOne(), options: options) {
            #expect(outcome.slot == outcome.index / size % pool.width)
          }
        }
      }
    }
  }
}
