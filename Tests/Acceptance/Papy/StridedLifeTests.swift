import Millrace
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Checked {
  /// What strided maps share with all maps: inputs of any kind, failures, retries, limits, company on the pool, ends.
  @Suite struct StridedLife {
    @Test(
      "U187: an item is told that it cannot take from a strided map that was begun outside of it",
      arguments: Backends.shared)
    func takenInside(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let map = try StridedMap(on: pool, stride: 3)
        let output = try map.add(0..<12, with: Times(factor: 2))
        #expect(try await output.next() == 0)
        let kinds = try await pool.map(0..<4) { _ in
          do {
            _ = try await output.next()
            return "nothing was thrown"
          } catch let error as WorkerPoolError {
            return "\(error.kind)"
          }
        }
        #expect(Set(kinds) == ["\(WorkerPoolError.Kind.calledFromItem)"])
        var rest: [Int] = []
        while let next = try await output.next() { rest.append(next) }
        #expect(rest == (1..<12).map { $0 * 2 })
        // One that is begun in an item goes on there, and in what that begins.
        let inside = try await pool.map(0..<2) { _ -> [Int] in
          let map = try StridedMap(on: pool, stride: 3)
          let output = try map.add(0..<4, with: Times(factor: 2))
          var all: [Int] = []
          while let next = try await output.next() { all.append(next) }
          return all
        }
        #expect(inside == [[0, 2, 4, 6], [0, 2, 4, 6]])
      }
    }

    @Test("U323: nor can one in a worker process, which has a copy of it, and would get what the program gets", .forks)
    func takenInACopy() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let map = try StridedMap(on: pool, stride: 3)
        let output = try map.add(0..<12, with: Times(factor: 2))
        let unbegun = try StridedMap(on: pool, stride: 3)
        let first = try unbegun.add(0..<12, with: Times(factor: 2))
        #expect(try await output.next() == 0)
        let take: @Sendable (Int) async -> String = { way in
          do {
            switch way {
            case 0: _ = try await output.next()
            case 1: _ = try await output.next(within: .seconds(1))
            case 2: _ = try await output.nextResult()
            case 3: for try await _ in output { break }
            case 4: _ = try await first.next()
            default: try unbegun.start()
            }
            return "nothing was thrown"
          } catch {
            return (error as? WorkerPoolError).map { "\($0.kind)" } ?? "\(error)"
          }
        }
        let kinds = try await pool.map(0..<6) { await take($0) }
        #expect(Set(kinds) == ["\(WorkerPoolError.Kind.foreignPool)"], "\(kinds)")
        var rest: [Int] = []
        while let next = try await output.next() { rest.append(next) }
        #expect(rest == (1..<12).map { $0 * 2 })
        // Also where there is nothing left to take.
        let after = try await pool.map(0..<2) { await take($0) }
        #expect(Set(after) == ["\(WorkerPoolError.Kind.foreignPool)"], "\(after)")
      }
    }

    @Test("U348: what ends the copy in a worker process ends nothing, and says so", .forks)
    func endedInACopy() async throws {
      let heard = Heard()
      try await withWorkerPool(.processes(1), logger: heard.logger()) { pool async throws in
        let map = try StridedMap(on: pool, stride: 2)
        let output = try map.add(0..<6, with: Times(factor: 2))
        _ = try await pool.map(0..<2) { item in if item == 0 { map.stop() } else { map.cancel() } }
        var all: [Int] = []
        while let next = try await output.next() { all.append(next) }
        #expect(all == (0..<6).map { $0 * 2 })
      }
      for call in ["stop()", "cancel()"] {
        #expect(
          heard.messages.count { $0.contains("\(call) of a strided map has done nothing") } == 1, "\(heard.messages)")
      }
    }

    @Test(
      "U320: on a serial pool an item that takes too long is a failure, and the others go on", arguments: [true, false])
    func tooLong(blocks: Bool) async throws {
      try await withWorkerPool(.serial) { pool async throws in
        let map = try StridedMap(on: pool, stride: 2)
        let limits = ItemOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(50)))
        let output = try map.add(0..<4, options: limits) { item in
          guard item == 2 else { return item }
          if blocks { usleep(120_000) } else { try await Task.sleep(for: .milliseconds(120)) }
          return item
        }
        var found: [String] = []
        while let result = try await output.nextResult() {
          switch result {
          case .success(let item): found.append("\(item)")
          case .failure(let failure): found.append("\(failure)")
          }
        }
        #expect(found == ["0", "1", "item 2, slot 0, attempt 1: timed out after 0.05 seconds", "3"])
      }
    }

    @Test("U321: where no worker can be set up, the map ends with why", arguments: Backends.everything)
    func noWorker(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for count in [1, 2, 5] {
          let map = try StridedMap(on: pool, stride: 2)
          let output = try map.add(0..<count, with: Unready())
          let error = await #expect(throws: WorkerPoolError.self) { while try await output.nextResult() != nil {} }
          #expect(error?.kind == .setUpFailed, "\(String(describing: error))")
        }
        // The items that were read are failures, and the loop throws also where there are no others.
        let items = AsyncStream<Int> { continuation in
          for item in 0..<2 { continuation.yield(item) }
          continuation.finish()
        }
        var failures = 0
        let error = await #expect(throws: WorkerPoolError.self) {
          for try await outcome in pool.outcomes(of: items, with: Unready()) {
            guard case .failure(let failure) = outcome.result, case .setUpFailed = failure.cause else { continue }
            failures += 1
          }
        }
        #expect(error?.kind == .setUpFailed && failures <= 2, "\(String(describing: error))")
      }
    }

    private struct Unready: Worker, Codable {
      func setUp(_ context: WorkerContext) throws -> Int { throw Refused(item: 0) }
      func process(_ item: Int, state: inout Int) -> Int { item }
    }

    @Test(
      "U322: an error says how long all of the map may take, not what was left of that",
      arguments: Backends.all.able(.runsClosures))
    func total(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let map = try StridedMap(on: pool, stride: 1)
        let limits = ItemOptions(timeouts: MapOptions.Timeouts(total: .milliseconds(200)))
        let output = try map.add(0..<50, options: limits) { (item: Int) async throws -> Int in
          try await Task.sleep(for: .milliseconds(30))
          return item
        }
        let error = await #expect(throws: WorkerPoolError.self) { while try await output.nextResult() != nil {} }
        #expect(
          error?.kind == .timedOut && error?.message == "not done within 0.2 seconds", "\(String(describing: error))")
      }
    }

    @Test(
      "U234: a map may be given up at any moment, also while an item of its input is read", arguments: [true, false])
    func givenUpWhileReading(isInMemory: Bool) async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        let items = (0..<64).map { number in (0..<8).map { "item \(number), part \($0) of it" } }
        for round in 0..<400 {
          let map = try StridedMap(on: pool, stride: 2)
          let output =
            isInMemory
            ? try map.add(Repeated(items: items), with: Counts()) : try map.add(lazily(items), with: Counts())
          try map.start()
          let until = ContinuousClock.now + .microseconds(round % 40 * 10)
          while ContinuousClock.now < until {}
          map.cancel()
          await #expect(throws: CancellationError.self) { while try await output.next() != nil {} }
        }
      }
    }

    @Test("U236: after a stop an input that was told to end has no error to tell", arguments: Backends.all)
    func stoppedWhileReading(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let map = try StridedMap(on: pool, stride: 1, buffer: 4)
        let gate = AsyncStream<Int>.makeStream()
        for item in 0..<3 { gate.continuation.yield(item) }
        let output = try map.add(Impatient(items: gate.stream), with: AddOne())
        #expect(try await output.next() == 1)
        map.stop()
        var rest: [Int] = []
        while let next = try await output.next() { rest.append(next) }
        #expect([2, 3].starts(with: rest))
        gate.continuation.finish()
      }
    }

    @Test(
      "U237: an item's index counts what its task has run, on all backends", arguments: Backends.all.able(.runsClosures)
    )
    func indices(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let map = try StridedMap(on: pool, stride: 2)
        let output = try map.add(["a", "b", "c", "d", "e"]) { _ in
          var random = WorkerContext.current!.random
          return [WorkerContext.current!.index, Int(random.next() >> 1)]
        }
        var found: [[Int]] = []
        for try await indices in output { found.append(indices) }
        #expect(found.map { $0[0] } == Array(0..<5))
        // And so the random numbers are the same everywhere.
        #expect(found.map { $0[1] } == (0..<5).map(Self.random))
      }
    }

    private static func random(_ index: Int) -> Int {
      var random = ItemRandom(seed: 0, index: index)
      return Int(random.next() >> 1)
    }

    @Test("a fork and a join: what belongs together stays together", arguments: Backends.everything.able(.runsClosures))
    func diamond(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for stride in [1, 2, 5] {
          let loom = try StridedMap(on: pool, stride: stride)
          let words = try loom.add(["hello", "world", "!"]) { $0.uppercased() }
          let left = try loom.add(words) { $0.replacing("E", with: "3") }
          let right = try loom.add(words) { text in
            if text == "WORLD" { throw Refused(item: 1) }
            return text.replacing("O", with: "0")
          }
          let pairs = try loom.add(left, right) { "\($0),\($1)" }
          #expect(try await pairs.next() == "H3LLO,HELL0")
          let failure = await #expect(throws: ItemFailure.self) { try await pairs.next() }
          #expect((failure?.underlying as? UpstreamFailure)?.output == right.position)
          #expect(try await pairs.next() == "!,!")
          #expect(try await pairs.next() == nil)
        }
      }
    }

    @Test(
      "several inputs end with the shortest, and the longer one is left", arguments: Backends.all.able(.runsClosures))
    func shortest(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let endless = try loom.add(Endless(), with: AddOne())
        let short = try loom.add(lazily([1, 2, 3]), with: AddOne())
        let sums = try loom.add(endless, short) { $0 + $1 }
        var results: [Int] = []
        for try await sum in sums { results.append(sum) }
        #expect(results == [3, 5, 7])
      }
    }

    @Test("an asynchronous input, and the error that it ends with", arguments: Backends.all)
    func asynchronous(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let first = try loom.add(Numbers(count: 5, throwsAtEnd: true), with: AddOne())
        let second = try loom.add(first, with: AddOne())
        for index in 0..<5 { #expect(try await second.next() == index + 2) }
        await #expect(throws: Refused(item: 5)) { try await second.next() }
      }
    }

    @Test("strided maps and ordinary ones on one pool, at once", arguments: Backends.everything)
    func company(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        try await withThrowingTaskGroup(of: Void.self) { group in
          for stride in 1...3 {
            group.addTask {
              let loom = try StridedMap(on: pool, stride: stride)
              let chain = try loom.add(loom.add(0..<100, with: AddOne()), with: Times(factor: 2))
              var results: [Int] = []
              for try await result in chain { results.append(result) }
              #expect(results == (1...100).map { $0 * 2 })
            }
          }
          group.addTask {
            let plain = try await pool.map(0..<1_000, with: AddOne())
            #expect(plain == Array(1...1_000))
          }
          try await group.waitForAll()
        }
      }
    }

    @Test("a consumer for each output, none of whom knows of the others", arguments: Backends.all)
    func consumers(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let outputs = try (0..<3).map { _ in try loom.add(0..<200, with: AddOne()) }
        try await withThrowingTaskGroup(of: [Int].self) { group in
          for output in outputs {
            group.addTask {
              var results: [Int] = []
              for try await result in output { results.append(result) }
              return results
            }
          }
          for try await results in group { #expect(results == Array(1...200)) }
        }
      }
    }

    @Test("a failed item is tried again", arguments: Backends.all.able(.runsClosures))
    func retries(backend: WorkerPool.Backend) async throws {
      let attempts = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let results = try loom.add(0..<3, options: ItemOptions(retry: .upTo(1))) { item in
          if item == 1, attempts.increment() == 1 { throw Refused(item: item) }
          return item
        }
        #expect(try await [results.next(), results.next(), results.next(), results.next()] == [0, 1, 2, nil])
        #expect(attempts.value == 2)
      }
    }

    @Test("what takes too long is a failure at its place", arguments: Backends.apart)
    func limits(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let options = ItemOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(200)))
        let results = try loom.add(0..<3, with: Stuck(items: [1]), options: options)
        #expect(try await results.next() == 0)
        guard case .failure(let failure) = try await results.nextResult() else { return #expect(Bool(false)) }
        guard case .timedOut = failure.cause else { return #expect(Bool(false), "\(failure)") }
        #expect(failure.index == 1)
        #expect(try await results.next() == 2)
      }
    }

    @Test("a crash costs its item", arguments: Backends.isolating)
    func crashes(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let first = try loom.add(0..<5, with: Trapping(item: 2))
        let second = try loom.add(first, with: AddOne())
        var results: [Int?] = []
        while let result = try await second.nextResult() { results.append(try? result.get()) }
        #expect(results == [1, 2, nil, 4, 5])
      }
    }

    @Test("dropped or cancelled in the midst, it frees the pool", arguments: Backends.everything)
    func dropped(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for isCancelled in [false, true] {
          let loom = try StridedMap(on: pool, stride: 2)
          let chain = try loom.add(loom.add(Endless(), with: AddOne()), with: AddOne())
          for try await result in chain where result > 10 { break }
          if isCancelled {
            loom.cancel()
            await #expect(throws: CancellationError.self) { try await chain.next() }
          }
        }
        #expect(try await pool.map(0..<100, with: AddOne()) == Array(1...100))
      }
    }

    @Test("whoever waits may be cancelled; the map goes on", arguments: Backends.all.able(.runsClosures))
    func cancelled(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let results = try loom.add(0..<2) { item in
          await gate.wait(for: 1)
          return item
        }
        let task = Task { try await results.next() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        gate.set(1)
        #expect(try await [results.next(), results.next(), results.next()] == [0, 1, nil])
      }
    }

    @Test("the end of the pool ends it", arguments: Backends.everything)
    func poolEnds(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let loom = try StridedMap(on: pool, stride: 2)
      let results = try loom.add(Endless(), with: AddOne())
      #expect(try await results.next() == 1)
      try await pool.shutdown()
      await #expect(throws: WorkerPoolError.self) { while try await results.next() != nil {} }
    }

    @Test("inside an item of the same pool", arguments: Backends.shared)
    func nested(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let sums = try await pool.map(0..<4) { item in
          let loom = try StridedMap(on: pool, stride: 2)
          let chain = try loom.add(loom.add(0..<5, with: AddOne()), with: AddOne())
          var sum = item
          for try await result in chain { sum += result }
          return sum
        }
        #expect(sums == [20, 21, 22, 23])
      }
    }

    @Test("tasklets see the task-local values of whoever began the map", arguments: Backends.shared)
    func context(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let loom = try StridedMap(on: pool, stride: 2)
        let values = try loom.add(0..<20) { _ in Label.current }
        try Label.$current.withValue("begun") { try loom.start() }
        var seen: Set<String> = []
        try await Label.$current.withValue("other") { for try await value in values { seen.insert(value) } }
        #expect(seen == ["begun"])
      }
    }

    @Test("what is wrong is refused by name")
    func refusals() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        #expect(throws: InvalidOption.self) { try StridedMap(on: pool, stride: 0) }
        #expect(throws: InvalidOption.self) { try StridedMap(on: pool, stride: 3, buffer: 2) }
        let loom = try StridedMap(on: pool, stride: 2, buffer: 2)
        let other = try StridedMap(on: pool)
        let first = try loom.add([1], with: AddOne())
        #expect(throws: StridedMapError.self) { try other.add(first, with: AddOne()) }
        let second = try loom.add([1], with: AddOne())
        let pairs = try loom.add(first, second) { $0 + $1 }
        let error = await #expect(throws: InvalidOption.self) { try await pairs.next() }
        #expect(error?.description == "buffer is 2: it has to be at least 4 with these tasks and a stride of 2")
        let chain = try StridedMap(on: pool)
        let inner = try chain.add([1], with: AddOne())
        let outer = try chain.add(inner, with: AddOne())
        #expect(try await outer.next() == 3)
        let isInput = await #expect(throws: StridedMapError.self) { try await inner.next() }
        #expect(isInput?.kind == .isInput)
        let hasBegun = #expect(throws: StridedMapError.self) { try chain.add([1], with: AddOne()) }
        #expect(hasBegun?.kind == .hasBegun)
      }
    }
  }

  enum Label {
    @TaskLocal static var current = "none"
  }

  struct Trapping: StatelessWorker, Codable {
    var item: Int

    func process(_ item: Int) -> Int {
      precondition(item != self.item, "the item that traps")
      return item
    }
  }
}

/// As what is in memory, though it makes each item anew.
private struct Repeated: Sequence, Sendable {
  let items: [[String]]

  func makeIterator() -> some IteratorProtocol<[String]> {
    items.lazy.map { $0.map { $0 + "!" } }.makeIterator()
  }
}

private struct Counts: StatelessWorker {
  func process(_ item: [String]) -> Int { item.reduce(0) { $0 + $1.utf8.count } }
}

/// An input that throws when it is cancelled, as those do that sleep between two looks.
private struct Impatient: AsyncSequence, Sendable {
  let items: AsyncStream<Int>

  struct AsyncIterator: AsyncIteratorProtocol {
    var items: AsyncStream<Int>.AsyncIterator

    mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Int? {
      let item = await items.next(isolation: actor)
      try Task.checkCancellation()
      return item
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(items: items.makeAsyncIterator()) }
}
