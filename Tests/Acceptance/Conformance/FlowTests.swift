import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// How items flow through workers that are busy and past consumers that are slow (`V`: vimap's tests).
  @Suite struct Flow {
    @Test(
      "V1 ten workers double four numbers",
      arguments: [WorkerPool.Backend.serial, .tasks(10), .threads(10), .processes(10)].runnable)
    func v1(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map([1, 2, 3, 4], with: Times(factor: 2), order: .completion).sorted() == [2, 4, 6, 8])
      }
    }

    @Test("V2 a worker with a multiplier", arguments: Backends.Conforming.everything)
    func v2(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(
          try await pool.map([1, 2, 3, 4], with: Times(factor: 3), order: .completion).sorted() == [3, 6, 9, 12])
      }
    }

    @Test("V4 three workers run three items at once, again and again", arguments: Backends.wide)
    func v4(backend: WorkerPool.Backend) async throws {
      let present = CommonCounter()
      try await withWorkerPool(backend) { pool in
        for _ in 0..<2 {
          let pairs = try await pool.map([4, 4, 4], options: MapOptions(chunking: .size(1))) { item in
            let context = WorkerContext.current!
            await present.meet(3)
            return [item, item + context.slot + 1]
          }
          #expect(Set(pairs) == [[4, 5], [4, 6], [4, 7]])
        }
      }
    }

    @Test("V5 with a slow consumer, each round is run by all workers", arguments: Backends.wide)
    func v5(backend: WorkerPool.Backend) async throws {
      let present = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        let stream = pool.outputs(of: Array(repeating: 4, count: 9), options: options) { item in
          let context = WorkerContext.current!
          await present.meet(3)
          return item + context.slot
        }
        var outputs: [Int] = []
        for try await output in stream {
          outputs.append(output)
          try await Task.sleep(for: .milliseconds(10))
        }
        for start in [0, 3, 6] { #expect(outputs[start..<start + 3].sorted() == [4, 5, 6]) }
      }
    }

    @Test(
      "V6 nothing is lost, for any number of items",
      arguments: [WorkerPool.Backend.serial, .tasks(3), .threads(3), .processes(3)].runnable)
    func v6(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for count in 1...99 {
          for chunking in [MapOptions.Chunking.size(1), .size(10)] {
            let options = MapOptions(chunking: chunking)
            let outputs = try await pool.map(1..<count, with: AddOne(), order: .completion, options: options)
            #expect(outputs.sorted() == Array(2..<count + 1))
          }
        }
      }
    }

    @Test("V7 ten thousand items whose outputs nobody wants", arguments: Backends.Conforming.all)
    func v7(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in try await pool.forEach(0..<10_000, with: AddOne()) }
    }

    @Test(
      "V8 ten workers and a slow consumer",
      arguments: [WorkerPool.Backend.tasks(10), .threads(10), .processes(10)].runnable)
    func v8(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var sum = 0
        let options = MapOptions(chunking: .size(1))
        for try await output in pool.outputs(of: 0..<100, with: AddOne(), order: .completion, options: options) {
          sum += output
          try await Task.sleep(for: .milliseconds(3))
        }
        #expect(sum == 5_050)
      }
    }

    @Test(
      "V11 nothing is left of a pool, however its map ends",
      arguments: [WorkerPool.Backend.processes(2), Backends.forking].runnable)
    func v11(backend: WorkerPool.Backend) async throws {
      let drawn = CommonCounter()
      let oracle = LeakOracle()
      // The first pool starts what lasts as long as the program.
      try await withWorkerPool(backend) { pool in try await pool.forEach(0..<9, with: AddOne()) }
      try await oracle.check {
        for repetition in 0..<30 {
          try await withWorkerPool(backend) { pool in
            switch repetition % 3 {
            case 0: #expect(try await pool.map(0..<9, with: AddOne()).count == 9)
            case 1:
              await #expect(throws: ItemFailure.self) {
                _ = try await pool.map(0..<9, with: Picky(modulus: 5, remainder: 4))
              }
            default: for try await _ in pool.outputs(of: Endless(drawn: drawn), with: AddOne()) { break }
            }
          }
        }
      }
    }

    @Test(
      "V17 ordered maps, one after the other, of many sizes",
      arguments: [WorkerPool.Backend.serial, .tasks(8), .threads(8), .processes(8)].runnable)
    func v17(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for count in [2, 4, 8, 32, 3_200, 32_000] {
          for _ in 0..<2 {
            #expect(try await pool.map(0..<count, with: Times(factor: 2)) == (0..<count).map { $0 * 2 })
          }
        }
      }
    }

    @Test("V19 a chunk is run by one worker", arguments: Backends.Conforming.all.able(.runsClosures))
    func v19(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let (_, subscription) = pool.observe(buffer: 1_000)
      let groups = try await pool.map((0..<8).chunks(of: 3)) { Array($0) }
      #expect(groups == [[0, 1, 2], [3, 4, 5], [6, 7]])
      _ = subscription.buffer.take()
      var slots: [Int] = []
      for try await outcome in pool.outcomes(of: 0..<8, with: AddOne(), options: MapOptions(chunking: .size(3))) {
        slots.append(outcome.slot)
      }
      try await pool.shutdown()

      // A worker that the machine has stopped for milliseconds is helped: what it gave back is another's.
      var given = Array(repeating: -1, count: 8)
      var wasReturned = Array(repeating: false, count: 8)
      for event in subscription.buffer.take().elements.map(\.event) {
        switch event {
        case .chunkGiven(let slot, _, _, _, let items, let size, _):
          if !items.contains(where: { wasReturned[$0] }) {
            #expect(size == min(3, items.count) && items.lowerBound.isMultiple(of: 3))
            #expect(items.upperBound.isMultiple(of: 3) || items.upperBound == 8)
          }
          for index in items { given[index] = slot }
        case .chunkReturned(_, _, _, let items):
          for index in items { wasReturned[index] = true }
        default: break
        }
      }
      #expect(slots == given)
      let whole = [0..<3, 3..<6, 6..<8].filter { chunk in !chunk.contains { wasReturned[$0] } }
      #expect(whole.allSatisfy { Set(slots[$0]).count == 1 })
    }

    @Test("V22 a serial pool starts neither threads nor processes")
    func v22() async throws {
      let oracle = LeakOracle()
      let before = oracle.snapshot().filter { $0.kind == .thread || $0.kind == .process }
      try await withWorkerPool(.serial) { pool in
        let outputs = try await pool.map(lazily([3, 1, 2])) { item in
          #expect(oracle.snapshot().filter { $0.kind == .thread || $0.kind == .process }.subtracting(before).isEmpty)
          return item * 2
        }
        #expect(outputs == [6, 2, 4])
      }
    }
  }
}
