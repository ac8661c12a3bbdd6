import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// PaPy's cases of running, failing, waiting and stopping, by their numbers.
  @Suite struct StridedCases {
    @Test(
      "I7 an error keeps its place, and what comes after it comes", arguments: Backends.everything.able(.runsClosures))
    func i7(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let sums = try loom.add(["1", "a", "3"]) { text in
          guard let number = Int(text) else { throw Refused(item: 0) }
          return number + 1
        }
        #expect(try await sums.next() == 2)
        let failure = await #expect(throws: ItemFailure.self) { try await sums.next() }
        #expect(failure?.index == 1 && failure?.underlying as? Refused == Refused(item: 0))
        #expect(try await sums.next() == 4)
        #expect(try await sums.next() == nil)
      }
    }

    @Test("I8 two tasks that undo each other, whatever the stride", arguments: 1...8)
    func i8(workers: Int) async throws {
      for backend in [WorkerPool.Backend.threads(workers), .processes(workers)].runnable {
        try await withWorkerPool(backend) { pool in
          for (count, stride) in [7, 8].flatMap({ count in [1, 2, 4, 5, 7, 8, 23].map { (count, $0) } }) {
            let loom = try StridedMap(on: pool, stride: stride)
            let up = try loom.add(0..<count, with: AddOne())
            let down = try loom.add(up, with: Minus())
            var results: [Int] = []
            for try await result in down { results.append(result) }
            #expect(results == Array(0..<count))
            #expect(try await down.next() == nil)
          }
        }
      }
    }

    @Test("I12 in the order of the input, or as they finish", arguments: Backends.wide)
    func i12(backend: WorkerPool.Backend) async throws {
      for order in [MapOptions.Order.input, .completion] {
        let awake = CommonCounter()
        try await withWorkerPool(backend) { pool in
          let loom = try StridedMap(on: pool, stride: 4, order: order)
          let results = try loom.add(["awake", "sleep", "awake", "awake"]) { text in
            if text == "sleep" { await awake.wait(for: 3) } else if order == .input { awake.increment() }
            return text
          }
          var all: [String] = []
          while let result = try await results.next() {
            all.append(result)
            if order == .completion { awake.increment() }
          }
          #expect(
            all == (order == .input ? ["awake", "sleep", "awake", "awake"] : ["awake", "awake", "awake", "sleep"]))
        }
      }
    }

    /// Results that come when they are let: the n-th once the gate is open for more than n.
    private func gated(_ pool: WorkerPool, _ gate: CommonCounter, _ count: Int, skips: Bool) throws -> StridedOutput<
      Int
    > {
      let loom = try StridedMap(on: pool, stride: count, skipsTimedOut: skips)
      return try loom.add(0..<count) { item in
        await gate.wait(for: item + 1)
        return item
      }
    }

    private func timesOut(_ output: StridedOutput<Int>) async {
      let error = await #expect(throws: StridedMapError.self) { try await output.next(within: .milliseconds(50)) }
      #expect(error?.kind == .nextTimedOut)
    }

    @Test("I13 what does not come in time may be taken later", arguments: StridedWalkthroughs.narrow)
    func i13(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let results = try gated(pool, gate, 4, skips: false)
        await timesOut(results)
        await timesOut(results)
        gate.set(1)
        #expect(try await results.next() == 0)
        await timesOut(results)
        gate.set(2)
        #expect(try await results.next() == 1)
        await timesOut(results)
        gate.set(4)
        #expect(try await [results.next(), results.next(), results.next()] == [2, 3, nil])
      }
    }

    @Test("I13 what does not come in time is given up, if that is asked for", arguments: StridedWalkthroughs.narrow)
    func i13Skip(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let results = try gated(pool, gate, 5, skips: true)
        await timesOut(results)
        gate.set(2)
        #expect(try await results.next() == 1)
        await timesOut(results)
        await timesOut(results)
        gate.set(5)
        #expect(try await [results.next(), results.next()] == [4, nil])
      }
    }

    @Test("I13 skip.py: four results, or three", arguments: [false, true])
    func i13Script(skips: Bool) async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let gate = CommonCounter()
        let loom = try StridedMap(on: pool, stride: 4, skipsTimedOut: skips)
        let results = try loom.add(0..<4) { item in
          if item == 1 { await gate.wait(for: 1) }
          return item
        }
        #expect(try await results.next(within: .seconds(30)) == 0)
        await timesOut(results)
        gate.set(1)
        var rest: [Int] = []
        while let result = try await results.next(within: .seconds(30)) { rest.append(result) }
        #expect(rest == (skips ? [2, 3] : [1, 2, 3]))
      }
    }

    @Test("I13 chained: what was not begun is never given up", arguments: Backends.all.able(.runsClosures))
    func i13Chained(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 1, skipsTimedOut: true)
        let first = try loom.add(0..<3) { item in
          await gate.wait(for: item + 1)
          return item
        }
        let second = try loom.add(first) { $0 * 10 }
        await timesOut(second)
        gate.set(1)
        #expect(try await second.next() == 0)
        await timesOut(second)
        gate.set(3)
        #expect(try await [second.next(), second.next(), second.next()] == [10, 20, nil])
      }
    }

    @Test(
      "I14 stopped at once or after some, no item is lost half-way, and the pool goes on", arguments: Backends.apart)
    func i14(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for (stride, taken) in (1...22).flatMap({ stride in [0, 1, 5].map { (stride, $0) } }) {
          let consumed = CommonCounter()
          let loom = try StridedMap(on: pool, stride: stride)
          let first = try loom.add(CountedItems(count: 500, consumed: consumed), with: AddOne())
          let second = try loom.add(first, with: AddOne())
          try loom.start()
          var results: [Int] = []
          for _ in 0..<taken { results.append(try await second.next()!) }
          loom.stop()
          for try await result in second { results.append(result) }
          #expect(results == (0..<consumed.value).map { $0 + 2 })
          #expect(consumed.value <= taken + 2 * stride + 2 * stride)
        }
        for _ in 0..<2 {
          let loom = try StridedMap(on: pool)
          #expect(try await loom.add(17..., with: AddOne()).next() == 18)
          loom.cancel()
        }
      }
    }

    @Test("I15 one after the other, in either order", arguments: Backends.everything.able(.runsClosures))
    func i15(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 1)
        let doubled = try loom.add([3], with: Times(factor: 2))
        let power = try loom.add(doubled) { $0 * $0 }
        let squared = try loom.add([3]) { $0 * $0 }
        let double = try loom.add(squared, with: Times(factor: 2))
        #expect(try await [power.next(), double.next()] == [36, 18])
      }
    }

    @Test("I15 errors say where they came from, task by task", arguments: Backends.everything.able(.runsClosures))
    func i15Errors(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let numbers = try loom.add(["1", "a", "3"]) { text in
          guard let number = Int(text) else { throw Refused(item: 7) }
          return number
        }
        let squares = try loom.add(numbers) { $0 * $0 }
        let doubled = try loom.add(squares, with: Times(factor: 2))
        #expect(try await doubled.next() == 2)
        let outer = try #require(await #expect(throws: ItemFailure.self) { try await doubled.next() })
        let middle = try #require(outer.underlying as? UpstreamFailure)
        let inner = try #require(middle.failure.underlying as? UpstreamFailure)
        #expect([outer.index, middle.failure.index, inner.failure.index] == [1, 1, 1])
        #expect([middle.output, inner.output] == [squares.position, numbers.position])
        #expect(inner.failure.underlying as? Refused == Refused(item: 7))
        #expect(try await doubled.next() == 18)
        #expect(try await doubled.next() == nil)
      }
    }
  }

  struct Minus: StatelessWorker {
    func process(_ item: Int) -> Int { item - 1 }
  }

  /// A sequence that says how many of it were taken; not in memory, so a thread reads it.
  struct CountedItems: Sequence, IteratorProtocol {
    var count: Int
    var consumed: CommonCounter
    var position = 0

    mutating func next() -> Int? {
      guard position < count else { return nil }
      consumed.increment()
      defer { position += 1 }
      return position
    }
  }
}
