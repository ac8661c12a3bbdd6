import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct InItsOrder: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item }
}

extension Checked {
  /// The map family gives every output once, in the order that it promises, on every backend.
  @Suite struct Order {
    @Test("an ordered map", arguments: Backends.Conforming.everything.able(.runsClosures).each(with: [0, 1, 10_000]))
    func ordered(backend: WorkerPool.Backend, count: Int) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(0..<count, with: Times(factor: 3)) == (0..<count).map { $0 * 3 })
        #expect(try await pool.map(0..<count) { $0 - 1 } == (0..<count).map { $0 - 1 })
      }
    }

    @Test("an unordered map", arguments: Backends.Conforming.everything)
    func unordered(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let outputs = try await pool.map(
          0..<1_000, with: AddOne(), order: .completion, options: MapOptions(chunking: .size(7)))
        #expect(outputs.sorted() == Array(1...1_000))
      }
    }

    @Test("unordered outcomes come as they finish, ordered ones as they stand", arguments: Backends.wide)
    func completion(backend: WorkerPool.Backend) async throws {
      for order in [MapOptions.Order.input, .completion] {
        // What the first item waits for: that the others have run, or that their outputs are here.
        let others = CommonCounter()
        try await withWorkerPool(backend) { pool in
          let stream = pool.outputs(of: 0..<3, order: order, options: MapOptions(chunking: .size(1))) { item in
            if item == 0 { await others.wait(for: 2) } else if order == .input { others.increment() }
            return item
          }
          var outputs: [Int] = []
          for try await output in stream {
            outputs.append(output)
            if order == .completion { others.increment() }
          }
          #expect(order == .input ? outputs == [0, 1, 2] : outputs.last == 0 && outputs.sorted() == [0, 1, 2])
        }
      }
    }

    @Test(
      "one worker finishes in the order of the input", .timeLimit(.minutes(1)),
      arguments: [WorkerPool.Backend.serial, .tasks(1), .threads(1), .processes(1), .sockets(1)].runnable)
    func oneWorker(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for chunking in [MapOptions.Chunking.automatic, .size(1), .size(7)] {
          let options = MapOptions(chunking: chunking)
          var found: [Int] = []
          for try await outcome in pool.outcomes(
            of: 0..<1_000, with: InItsOrder(), order: .completion, options: options)
          {
            found.append(outcome.index)
          }
          #expect(found == Array(0..<1_000))
          let outputs = try await pool.map(0..<1_000, with: InItsOrder(), order: .completion, options: options)
          #expect(outputs == Array(0..<1_000))
        }
      }
    }

    @Test(
      "a stream that nobody takes from does not hold up the end of its pool", .timeLimit(.minutes(1)),
      arguments: Backends.Conforming.apart)
    func untaken(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let outputs = pool.outputs(
        of: lazily(Array(0..<10_000)), with: InItsOrder(), options: MapOptions(window: .items(20)))
      var iterator = outputs.makeAsyncIterator()
      for expected in 0..<3 { #expect(try await iterator.next() == expected) }
      try await withDeadline(.seconds(30)) { try await pool.shutdown() }
      // What was read is there for whoever takes it after all, and then the reason why it is not all.
      var next = 3
      let error = await #expect(throws: WorkerPoolError.self) {
        while let output = try await iterator.next() {
          #expect(output == next)
          next += 1
        }
      }
      #expect(error?.kind == .closed && (3...23).contains(next))
    }

    @Test("a stream that is left early frees the pool", arguments: Backends.Conforming.everything + Backends.remote)
    func earlyBreak(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<3 {
          var taken: [Int] = []
          for try await output in pool.outputs(of: Endless(), with: AddOne()) {
            taken.append(output)
            if taken.count == 20 { break }
          }
          #expect(taken == Array(1...20))
        }
        #expect(try await pool.map(0..<100, with: AddOne()) == Array(1...100))
      }
    }

    @Test("forEach calls its body once for each item", arguments: Backends.Conforming.all.able(.runsClosures))
    func forEach(backend: WorkerPool.Backend) async throws {
      let sum = CommonCounter()
      try await withWorkerPool(backend) { pool in
        try await pool.forEach(0..<500) { _ in sum.increment() }
      }
      #expect(sum.value == 500)
    }

    @Test("map, stream and outcomes agree, whatever the chunks", arguments: Backends.Conforming.all)
    func chunks(backend: WorkerPool.Backend) async throws {
      let expected = (0..<200).map { $0 + 1 }
      try await withWorkerPool(backend) { pool in
        for chunking in [
          MapOptions.Chunking.size(1), .size(7), .size(64), .size(2.5), .count(9), .perWorker(3), .automatic,
        ] {
          let options = MapOptions(chunking: chunking)
          #expect(try await pool.map(0..<200, with: AddOne(), options: options) == expected)
          var streamed: [Int] = []
          for try await output in pool.outputs(of: 0..<200, with: AddOne(), options: options) {
            streamed.append(output)
          }
          #expect(streamed == expected)
          var outcomes: [Int] = []
          for try await outcome in pool.outcomes(of: 0..<200, with: AddOne(), options: options) {
            #expect(outcome.input == outcome.index && outcome.attempt == 1 && outcome.slot < pool.width)
            outcomes.append(try outcome.output)
          }
          #expect(outcomes == expected)
        }
      }
    }
  }
}
