import Millrace
import TestSupport
import Testing

extension Checked {
  /// Every kind of input, on every backend.
  @Suite struct Input {
    @Test("a lazy sequence", arguments: Backends.Conforming.all)
    func lazySequence(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for count in [0, 1, 10_000] {
          #expect(try await pool.map(lazily(Array(0..<count)), with: AddOne()) == (0..<count).map { $0 + 1 })
        }
      }
    }

    @Test("an endless sequence is read no further than it must", arguments: Backends.Conforming.all)
    func endless(backend: WorkerPool.Backend) async throws {
      let drawn = CommonCounter()
      var width = 0
      try await withWorkerPool(backend) { pool in
        width = pool.width
        var next = 1
        for try await output in pool.outputs(
          of: Endless(drawn: drawn), with: AddOne(), options: MapOptions(chunking: .size(4)))
        {
          #expect(output == next)
          next += 1
          if next > 1_000 { break }
        }
      }
      #expect(drawn.value <= 1_000 + 4 * 2 * max(width, 3))
    }

    @Test("an AsyncStream", arguments: Backends.Conforming.everything + Backends.remote)
    func asyncStream(backend: WorkerPool.Backend) async throws {
      let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
      let producer = Task {
        for item in 0..<300 {
          continuation.yield(item)
          if item % 50 == 0 { await Task.yield() }
        }
        continuation.finish()
      }
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(stream, with: Times(factor: 2)) == (0..<300).map { $0 * 2 })
      }
      await producer.value
    }

    @Test(
      "what was read before the input threw has its outcomes",
      arguments: Backends.Conforming.all.able(.runsClosures).each(with: [0, 1, 25]))
    func throwing(backend: WorkerPool.Backend, count: Int) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var outputs: [Int] = []
        await #expect(throws: Refused(item: count)) {
          let options = MapOptions(chunking: .size(4))
          for try await outcome in pool.outcomes(
            of: Numbers(count: count, throwsAtEnd: true), with: AddOne(), options: options)
          {
            outputs.append(try outcome.output)
          }
        }
        #expect(outputs == (0..<count).map { $0 + 1 })
        #expect(try await pool.map(Numbers(count: 9), with: AddOne()) == Array(1...9))
      }
    }

    @Test("several inputs zipped", arguments: Backends.Conforming.all.able(.runsClosures))
    func zips(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let two = try await pool.map(zipped(1...3, [0.5, 0.25, 0])) { count, share in Double(count) * share }
        #expect(two == [0.5, 0.5, 0])
        let three = try await pool.map(zipped(0..<10, lazily([5, 6, 7]), 10...)) { $0 * 100 + $1 * 10 + $2 }
        #expect(three == [60, 171, 282])
      }
    }

    @Test("a declared length cuts the input off", arguments: Backends.Conforming.all)
    func declaredLength(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for (declared, expected) in [(5, 5), (10, 10), (20, 10)] {
          let options = MapOptions(chunking: .count(4), count: declared)
          #expect(try await pool.map(lazily(Array(0..<10)), with: AddOne(), options: options) == Array(1...expected))
        }
        await #expect(throws: InvalidOption.self) {
          _ = try await pool.map(lazily([1]), with: AddOne(), options: MapOptions(chunking: .count(4)))
        }
      }
    }
  }
}
