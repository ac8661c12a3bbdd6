import Millrace
import TestSupport
import Testing

/// Multiplies by a number that belongs to its slot, and notes what it opens and closes.
private struct Multiplier: Worker, Codable {
  var factors: [Int]
  var ledger: LineLedger
  var refused = -1

  func setUp(_ context: WorkerContext) -> (slot: Int, factor: Int) {
    ledger.note("open \(context.slot)")
    return (context.slot, factors[context.slot])
  }

  func process(_ item: Int, state: inout (slot: Int, factor: Int)) throws -> Int {
    if item == refused { throw Refused(item: item) }
    return item * state.factor
  }

  func tearDown(_ state: (slot: Int, factor: Int)) { ledger.note("close \(state.slot)") }
}

private struct BadStart: Worker, Codable {
  func setUp(_ context: WorkerContext) throws { throw Opaque(description: "hello") }
  func process(_ item: Int, state: inout Void) -> Int { item }
}

private struct BadEnd: Worker, Codable {
  func setUp(_ context: WorkerContext) -> Int { context.slot }
  func process(_ item: Int, state: inout Int) -> Int { item + 1 }
  func tearDown(_ state: Int) throws { throw Refused(item: state) }
}

extension Checked {
  /// What a worker opens for itself, and closes (`V`: vimap's tests).
  @Suite struct Resources {
    static let two = [WorkerPool.Backend.tasks(2), .threads(2), .processes(2), Backends.spawning, Backends.forking]
      .runnable

    @Test("V3 each worker has its own resource, opened and closed once", arguments: two)
    func v3(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let worker = Multiplier(factors: [1, 2_000], ledger: ledger)
        try await withWorkerPool(backend) { pool in
          let options = MapOptions(chunking: .size(10), dispatch: .roundRobin)
          let outputs = try await pool.map(1..<1_000, with: worker, options: options)
          #expect(zip(1..<1_000, outputs).allSatisfy { $1 == $0 || $1 == $0 * 2_000 })
          let kinds = zip(1..<1_000, outputs).map { $1 / $0 }
          #expect(kinds.count { $0 == 1 } > 1 && kinds.count { $0 == 2_000 } > 1)
        }
        #expect(try ledger.lines.sorted() == ["close 0", "close 1", "open 0", "open 1"])
      }
    }

    @Test("V3 resources are closed after an item threw, too", arguments: two)
    func v3Throwing(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        let worker = Multiplier(factors: [1, 2_000], ledger: ledger, refused: 500)
        try await withWorkerPool(backend) { pool async throws in
          await #expect(throws: ItemFailure.self) { _ = try await pool.map(1..<1_000, with: worker) }
          // Both are set up by the time that a map has used both.
          let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
          #expect(try await pool.map(1...2, with: worker, options: options) == [1, 4_000])
        }
        #expect(try ledger.lines.sorted() == ["close 0", "close 1", "open 0", "open 1"])
      }
    }

    @Test("V12 set-up that fails in every worker ends the run", arguments: Backends.Conforming.everything)
    func v12(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        var failures = 0
        let error = try await #require(throws: WorkerPoolError.self) {
          for try await outcome in pool.outcomes(of: 0..<100, with: BadStart()) {
            guard case .failure(let failure) = outcome.result, case .setUpFailed(let cause) = failure.cause else {
              Issue.record("item \(outcome.index) ran")
              continue
            }
            #expect("\(cause)".contains("hello"))
            failures += 1
          }
        }
        #expect(error.kind == .setUpFailed && "\(error)".contains("hello") && failures <= 100)
      }
    }

    // Agents keep what workers hand back.
    @Test(
      "V13 tear-down that fails keeps the outputs", arguments: Backends.Conforming.everything.without(.sharesWorkers))
    func v13(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        #expect(try await pool.map(0..<9, with: BadEnd(), options: options) == Array(1...9))
        let exits = try await pool.tearDown(BadEnd())
        #expect(exits.count == pool.width)
        for exit in exits {
          #expect(throws: Refused(item: exit.slot)) { try exit.result.get() }
        }
        #expect(try await pool.map([1], with: BadEnd()) == [2])
      }
    }

    @Test(
      "V14 every failing item is a failure of its own, and workers survive", arguments: Backends.Conforming.everything)
    func v14(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let worker = Counting(modulus: 1)
        let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
        var inputs: [Int] = []
        for try await outcome in pool.outcomes(of: 1...9, with: worker, options: options) {
          guard case .failure(let failure) = outcome.result else {
            Issue.record("item \(outcome.index) has an output")
            continue
          }
          #expect(failure.underlying as? Refused == Refused(item: outcome.input))
          inputs.append(outcome.input)
        }
        #expect(inputs == Array(1...9))
        // Were one replaced, there would be more exits, and smaller ones.
        let counts = try await pool.tearDown(worker).map { try $0.result.get() }
        #expect(
          backend.kind.abilities.contains(.sharesWorkers)
            ? counts.isEmpty : counts.count == pool.width && counts.reduce(0, +) == 9)
      }
    }

    @Test("V16 a message survives as it is", arguments: Backends.Conforming.everything.able(.runsClosures))
    func v16(backend: WorkerPool.Backend) async throws {
      let message = "{0} curley braces!"
      try await withWorkerPool(backend) { pool in
        let failure = try await #require(throws: ItemFailure.self) {
          _ = try await pool.map(0..<9) { item -> Int in
            if item == 4 { throw Opaque(description: message) }
            return item
          }
        }
        #expect(failure.index == 4 && failure.description.contains(message))
        #expect(failure.description.hasPrefix("item 4, slot \(failure.slot), attempt 1"))
        #expect(failure.underlying.map { "\($0)" } == message)
      }
    }

    @Test("V21 a word count", arguments: Backends.Conforming.everything)
    func v21(backend: WorkerPool.Backend) async throws {
      let files = ["the mill race runs\nby the old mill and\nturns the wheel", "no water\nis spilled in the\nrace"]
      struct Words: StatelessWorker {
        func process(_ text: String) -> Int { text.split(whereSeparator: \.isWhitespace).count }
      }
      try await withWorkerPool(backend) { pool in
        let lines = files.flatMap { $0.split(separator: "\n").map(String.init) }
        let count = try await pool.outcomes(of: lines, with: Words(), order: .completion).reduce(into: 0) {
          $0 += try $1.output
        }
        #expect(count == 19)
      }
    }
  }
}
