import Millrace
import TestSupport
import Testing

extension Checked {
  /// What a body is given, and where it runs (`P`: parmapper's tests).
  @Suite struct Bodies {
    static let widths =
      [1, 2, 4].flatMap { [WorkerPool.Backend.tasks($0), .threads($0), .processes($0)].runnable } + [.serial]

    @Test("P1 fixed arguments, arguments of each item, and both", arguments: widths)
    func p1(backend: WorkerPool.Backend) async throws {
      @Sendable func add(_ i: Int, _ j: Int, pause: Duration = .zero) -> Int { i + j }
      let expected = (0..<10).map { $0 * 2 }
      try await withWorkerPool(backend) { pool async throws in
        // star
        #expect(try await pool.map(zip(0..<10, 0..<10)) { add($0, $1) } == expected)
        // star and fixed
        let fixed = Duration.microseconds(100)
        #expect(try await pool.map(zip(0..<10, 0..<10)) { add($0, $1, pause: fixed) } == expected)
        // star and one of each item; as a tuple of three, and nested
        let pauses = (0..<10).map { Duration.microseconds($0 * 10) }
        #expect(try await pool.map(zipped(0..<10, 0..<10, pauses)) { add($0, $1, pause: $2) } == expected)
        #expect(
          try await pool.map(zip(zip(0..<10, 0..<10), pauses)) { pair, pause in add(pair.0, pair.1, pause: pause) }
            == expected)
        // An item's own value is taken before the fixed one.
        let own: [Int?] = (0..<10).map { $0 % 2 == 0 ? nil : $0 }
        #expect(try await pool.map(own) { $0 ?? 100 } == (0..<10).map { $0 % 2 == 0 ? 100 : $0 })
      }
    }

    @Test("P2 lambdas", arguments: widths)
    func p2(backend: WorkerPool.Backend) async throws {
      let b = 3
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map(0..<10) { $0 } == Array(0..<10))
        #expect(try await pool.map(zip(0..<10, 0..<10)) { $0 + $1 } == (0..<10).map { 2 * $0 })
        #expect(try await pool.map(0..<10) { $0 + 2 } == (0..<10).map { $0 + 2 })
        #expect(try await pool.map(0..<10) { $0 + b } == (0..<10).map { $0 + 3 })
        #expect(try await pool.map((0..<10).map { (a: $0, b: $0) }) { $0.a + $0.b } == (0..<10).map { 2 * $0 })
        #expect(
          try await pool.map(zipped(zip(0..<10, 0..<10), 0..<10)) { ab, c in ab.0 + ab.1 + c }
            == (0..<10).map { 3 * $0 })
      }
    }

    @Test(
      "P3 what a body gets: the item, its parts, nothing, fixed values",
      arguments: Backends.Conforming.all.able(.runsClosures))
    func p3(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.map([1, 2]) { "\($0)" } == ["1", "2"])
        #expect(try await pool.map([1, 2]) { "\($0),fixed" } == ["1,fixed", "2,fixed"])
        #expect(try await pool.map(zip([1, 2], [3, 4])) { "\($0),\($1)" } == ["1,3", "2,4"])
        #expect(try await pool.map(zip([1, 2], [3, 4])) { pair in "\(pair)" } == ["(1, 3)", "(2, 4)"])
        #expect(try await pool.map([1, 2]) { _ in "nothing" } == ["nothing", "nothing"])
        #expect(try await pool.map([1, 2]) { "\($0)@\(WorkerContext.current!.index)" } == ["1@0", "2@1"])
        #expect(
          try await pool.map(zip([1, 2], [3, 4])) { a, b in [a, b, WorkerContext.current!.index] } == [
            [1, 3, 0], [2, 4, 1],
          ])
      }
    }

    @Test("P4 one worker runs in the caller, lazily")
    func p4() async throws {
      let drawn = CommonCounter()
      let ran = CommonCounter()
      try await withWorkerPool(.serial) { pool async throws in
        let options = MapOptions(chunking: .size(1), window: .items(1))
        let stream = pool.outputs(of: Endless(drawn: drawn), options: options) { item in
          ran.increment()
          return item
        }
        var iterator = stream.makeAsyncIterator()
        #expect(drawn.value == 0)
        for item in 0..<5 {
          #expect(try await iterator.next() == item)
          #expect(drawn.value == item + 1 && ran.value == item + 1)
        }
      }
      #expect(drawn.value == 5 && ran.value == 5)
    }

    @Test("P5 errors: raised at once, or returned in their place", arguments: widths)
    func p5(backend: WorkerPool.Backend) async throws {
      let worker = Picky(modulus: 6, remainder: 3)
      try await withWorkerPool(backend) { pool in
        let begin = ContinuousClock.now
        for unordered in [false, true] {
          let failure = try await #require(throws: ItemFailure.self) {
            _ =
              unordered
              ? try await pool.map(0...5, with: worker, order: .completion) : try await pool.map(0...5, with: worker)
          }
          #expect(failure.index == 3)
        }
        #expect(ContinuousClock.now - begin < .seconds(1))
        var texts: [String] = []
        for try await outcome in pool.outcomes(of: 0...5, with: worker) {
          switch outcome.result {
          case .success(let output): texts.append("\(output / 2)")
          case .failure(let failure): texts.append("err \(failure.index)")
          }
        }
        #expect(texts == ["0", "1", "2", "err 3", "4", "5"])
        var failed: [Int] = []
        for try await outcome in pool.outcomes(of: 0...5, with: worker, order: .completion) {
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        #expect(failed == [3])
      }
    }

    @Test(
      "P7 a generator, a parallel map and what follows keep the order, and overlap",
      arguments: Backends.Conforming.apart.able(.runsClosures))
    func p7(backend: WorkerPool.Backend) async throws {
      let drawn = CommonCounter()
      try await withWorkerPool(backend) { pool in
        var results: [String] = []
        let options = MapOptions(chunking: .size(1), window: .items(4))
        let before = Endless(drawn: drawn).lazy.map { $0 * 10 }.prefix(40)
        for try await text in pool.outputs(of: before, options: options, { $0 + 1 }).map({ "\($0)" }) {
          results.append(text)
          // The generator is read on while this consumes.
          await drawn.wait(for: min(40, results.count + 1))
        }
        #expect(results == (0..<40).map { "\($0 * 10 + 1)" })
      }
    }

    @Test("P9 the splitter of chunks")
    func p9() throws {
      let rows = Array(0..<10)
      #expect(rows.evenChunks(atMost: 4).map(\.count) == [4, 3, 3])
      #expect(rows.evenChunks(count: 4).map(\.count) == [3, 3, 2, 2])
      #expect(rows.evenChunks(count: 4).flatMap(\.self) == rows)
      #expect([Int]().evenChunks(count: 4).isEmpty && [Int]().evenChunks(atMost: 4).isEmpty)
      #expect([1, 2].evenChunks(count: 4, atLeast: 5).map(\.count) == [2])
      #expect(throws: InvalidOption.self) { try MapOptions.Chunking(size: nil, count: nil) }
      #expect(throws: InvalidOption.self) { try MapOptions.Chunking(size: 0, count: nil) }
      // Of both, the size counts; one is never mixed with the other.
      #expect(try MapOptions.Chunking(size: 4, count: 4) == .size(4.0))
    }

    @Test(
      "P10 a call in the background returns a large value",
      arguments: Backends.Conforming.everything.able(.runsClosures))
    func p10(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter(backend.description == "serial" ? 1 : 0)
      try await withWorkerPool(backend) { pool in
        let call = try pool.submit {
          await gate.wait(for: 1)
          return [UInt8](repeating: 9, count: 1 << 20)
        }
        if gate.value == 0 {
          let error = await #expect(throws: WorkerPoolError.self) {
            _ = try await call.value(within: .milliseconds(20))
          }
          #expect(error?.kind == .nextTimedOut && !call.isFinished)
          gate.set(1)
        }
        let bytes = try await call.value(within: .seconds(30))
        #expect(bytes.count == 1 << 20 && bytes.last == 9)
      }
    }
  }
}
