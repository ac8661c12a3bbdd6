import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Puts so many numbers, and fails.
private struct BreaksAt: Source {
  var count: Int

  func produce(_ out: Outlet<Int>) async throws {
    for number in 0..<count { try await out.put(number) }
    throw Refused(item: count)
  }
}

/// Fails at one item, and takes longest for those before it.
private struct FailsSoon: StatelessWorker, Codable {
  var item: Int

  func process(_ number: Int) throws -> Int {
    if number == item { throw Refused(item: number) }
    if number < item { spin(for: .milliseconds(2)) }
    return number
  }

  private func spin(for duration: Duration) {
    let end = ContinuousClock.now + duration
    while ContinuousClock.now < end {}
  }
}

private func stream(_ count: Int, _ error: (any Error)? = nil) -> AsyncThrowingStream<Int, any Error> {
  AsyncThrowingStream { continuation in
    for number in 0..<count { continuation.yield(number) }
    continuation.finish(throwing: error ?? Refused(item: count))
  }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Its worker does not come out of its tear-down.
struct DiesAtItsEnd: Worker, Codable {
  enum How: String, Codable, CaseIterable {
    case trap, exit, kill, late

    func happen() {
      switch self {
      case .trap: fatalError("at its end")
      case .exit: Glibc.exit(3)
      case .kill: raise(SIGKILL)
      case .late: while true { sleep(1) }
      }
    }
  }
  var how: How

  func setUp(_ context: WorkerContext) {}
  func process(_ item: Int, state: inout Void) -> Int { item }
  func tearDown(_ state: Void) { how.happen() }

  struct Gathering: Stage, Codable {
    var how: How

    func setUp(_ context: StageContext, _ out: Outlet<Int>) {}
    func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws { try await out.put(item) }
    func tearDown(_ state: consuming Void, _ out: Outlet<Int>) { how.happen() }
  }
}

extension Checked {
  /// A run that fails gives what is before the failure first.
  @Suite(.timeLimit(.minutes(1))) struct PipelineEndCases {
    private let line = Pipeline<Int, Int> {
      AddX(amount: 1)
      Serial { AddX(amount: -1) }
    }

    @Test(
      "U131: what an input has given before it fails goes through, and then the error comes", arguments: Backends.all)
    func inputs(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<10 {
          var outputs: [Int] = []
          let error = await #expect(throws: PipelineError.self) {
            for try await output in line.outputs(of: stream(5), on: pool) { outputs.append(output) }
          }
          #expect(outputs == Array(0..<5) && error?.underlying as? Refused == Refused(item: 5))
        }
      }
    }

    @Test(
      "U131: what an item of another run has failed with is an input's failure, too",
      arguments: [MapOptions.Order.input, .completion])
    func nested(order: MapOptions.Order) async throws {
      let inner = await #expect(throws: ItemFailure.self) {
        try await Pipeline<Int, Int> { FailsSoon(item: 5) }.list(of: 0..<40)
      }
      var outputs: [Int] = []
      let error = await #expect(throws: PipelineError.self) {
        for try await output in line.outputs(of: stream(5, inner), order: order) { outputs.append(output) }
      }
      #expect(outputs.sorted() == Array(0..<5) && error?.kind == .sourceFailed)
      #expect((error?.underlying as? ItemFailure)?.stage?.name == "FailsSoon")
    }

    @Test("U131: so it is with a source, and with outcomes; what is gathered goes on", arguments: Backends.all)
    func sources(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<10 {
          var outcomes: [Int] = []
          let pipeline = Pipeline { BreaksAt(count: 5) }.map(with: AddX(amount: 0))
          let error = await #expect(throws: PipelineError.self) {
            for try await outcome in pipeline.outcomes(on: pool) { outcomes.append(try outcome.result.get()) }
          }
          #expect(outcomes == Array(0..<5) && error?.kind == .sourceFailed)
          var batches: [[Int]] = []
          await #expect(throws: PipelineError.self) {
            for try await batch in pipeline.batch(2).outputs(on: pool) { batches.append(batch) }
          }
          #expect(batches == [[0, 1], [2, 3], [4]])
        }
      }
    }

    @Test(
      "U131: where flows come together, a source that fails ends the others",
      arguments: Backends.all.able(.runsClosures))
    func merges(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let endless = EndlessCount()
        let pipeline = Pipeline<Nothing, Int>.graph { _ in
          merge(Millrace.Flow(endless).map { $0 }, Millrace.Flow(BreaksAt(count: 5)).map { 1_000_000 + $0 })
        }
        var outputs: [Int] = []
        let error = await #expect(throws: PipelineError.self) {
          for try await output in pipeline.outputs(on: pool) { outputs.append(output) }
        }
        #expect(error?.stage.name == "BreaksAt")
        #expect(outputs.filter { $0 >= 1_000_000 } == (0..<5).map { 1_000_000 + $0 })
        let others = outputs.filter { $0 < 1_000_000 }
        #expect(others == Array(0..<others.count))
      }
    }

    @Test(
      "U131: of a stage whose tear-down, or set-up, fails each item that was read has its outcome first",
      arguments: Backends.all)
    func tearDowns(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<10 {
          var outcomes: [Int] = []
          let torn = await #expect(throws: PipelineError.self) {
            let pipeline = Pipeline<Int, Int> { FailsAt(place: .tearDown) }
            for try await outcome in pipeline.outcomes(of: 0..<3, on: pool) {
              outcomes.append(try outcome.result.get())
            }
          }
          #expect(outcomes == [0, 1, 2] && torn?.kind == .tearDownFailed)
          var failures: [Int] = []
          let unset = await #expect(throws: PipelineError.self) {
            let pipeline = Pipeline<Int, Int> { FailsAt(place: .setUp) }
            for try await outcome in pipeline.outcomes(of: 0..<1, on: pool) {
              if case .failure(let failure) = outcome.result { failures.append(failure.index) }
            }
          }
          #expect(failures == [0] && unset?.kind == .setUpFailed)
        }
      }
    }

    @Test("U131: in order, all that is before the item that fails comes before its failure", arguments: Backends.all)
    func items(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<10 {
          var outputs: [Int] = []
          let pipeline = Pipeline<Int, Int> {
            FailsSoon(item: 5)
            Serial { AddX(amount: 0) }
          }
          let failure = await #expect(throws: ItemFailure.self) {
            for try await output in pipeline.outputs(of: 0..<40, on: pool) { outputs.append(output) }
          }
          #expect(outputs == Array(0..<5) && failure?.index == 5 && failure?.stage?.name == "FailsSoon")
        }
        // Who has what he wants before is not concerned.
        for count in [3, 5] {
          let first = try await Pipeline<Int, Int> { FailsSoon(item: 5) }.take(count).list(of: 0..<40, on: pool)
          #expect(first == Array(0..<count))
        }
      }
    }

    @Test("U131: what is gathered, or belongs together, comes before the failure too", arguments: Backends.all)
    func gathered(backend: WorkerPool.Backend) async throws {
      let fails = Pipeline<Int, Int> { FailsSoon(item: 5) }
      try await withWorkerPool(backend) { pool in
        for batches in [fails.batch(2), fails.batch(2, within: .seconds(1_000))] {
          var found: [[Int]] = []
          let failure = await #expect(throws: ItemFailure.self) {
            for try await batch in batches.outputs(of: 0..<40, on: pool) { found.append(batch) }
          }
          #expect(found == [[0, 1], [2, 3], [4]] && failure?.index == 5)
        }
        let branches = Pipeline<Int, Int> {
          FailsSoon(item: 5)
          Broadcast {
            AddX(amount: 1_000)
            Pipeline {
              Broadcast {
                AddX(amount: 100)
                AddX(amount: 200)
              }
              AddX(amount: 0)
            }
          }
        }
        var found: [Int] = []
        let failure = await #expect(throws: ItemFailure.self) {
          for try await output in branches.outputs(of: 0..<40, on: pool) { found.append(output) }
        }
        #expect(found == (0..<5).flatMap { [$0 + 1_000, $0 + 100, $0 + 200] } && failure?.index == 5)
      }
    }

    @Test("U131: of a row the failure is told that ends the run, not the one that is left out", arguments: Backends.all)
    func rows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let fails = Pipeline<Int, Int> { FailsSoon(item: 5) }
        func rows(_ other: Pipeline<Int, Int>) -> Pipeline<Int, (Int, Int)> {
          .graph { numbers in
            zip(
              numbers.through(fails.options(StageOptions(name: "Left out", onFailure: .skip))), numbers.through(other))
          }
        }
        var found: [Int] = []
        let failure = await #expect(throws: ItemFailure.self) {
          for try await (row, _) in rows(fails).outputs(of: 0..<40, on: pool) { found.append(row) }
        }
        #expect(found == Array(0..<5) && failure?.stage?.name == "FailsSoon")
        let told = await #expect(throws: ItemFailures.self) {
          _ = try await rows(fails.options(StageOptions(name: "Told", onFailure: .collect))).list(of: 0..<40, on: pool)
        }
        #expect(told?.count == 1 && told?.failures.first?.stage?.name == "Told")
      }
    }

    @Test("U131: the first that fails ends the run, whatever else would come", arguments: Backends.all)
    func endless(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        await #expect(throws: ItemFailure.self) {
          try await Pipeline { EndlessCount() }.map(with: FailsSoon(item: 50)).run(on: pool)
        }
        await #expect(throws: ItemFailure.self) {
          _ = try await Pipeline { EndlessCount() }.map(with: FailsSoon(item: 50)).batch(7).list(on: pool)
        }
      }
    }

    @Test("U167: who stops a run is told what it has failed with", arguments: Backends.all)
    func stopped(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for how in [PipelineRun.Stop.drain, .now] {
          let failing = try Pipeline<Int, Int> { FailsAt(place: .process) }.start(of: 0..., on: pool)
          while failing.state == .running { await Task.yield() }
          let failure = await #expect(throws: ItemFailure.self) { try await failing.stop(how) }
          #expect(failure?.stage?.name == "FailsAt" && failing.state == .failed)
          await #expect(throws: ItemFailure.self) { try await failing.wait() }

          let source = EndlessCount()
          let collecting = try Pipeline { source }.stage(FailsAt(place: .process))
            .options(StageOptions(onFailure: .collect)).start(on: pool)
          while source.made.value < 200 { await Task.yield() }
          let failures = await #expect(throws: ItemFailures.self) { try await collecting.stop(how) }
          #expect(failures?.count == 1)
        }
        let source = EndlessCount()
        let tornDown = try Pipeline { source }.stage(FailsAt(place: .tearDown)).start(on: pool)
        while source.made.value < 10 { await Task.yield() }
        let error = await #expect(throws: PipelineError.self) { try await tornDown.stop() }
        #expect(error?.kind == .tearDownFailed && tornDown.state == .failed)
      }
    }

    @Test("U167: a run whose source has failed, and which is given up then, has failed", arguments: Backends.shared)
    func givenUp(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let gate = CommonCounter()
        let pipeline = Pipeline<Nothing, Int> {
          BreaksAt(count: 5)
          AddX(amount: 0)
          Serial(on: .threads(1)) {
            Map { (item: Int) in
              while gate.value == 0 { try await Task.sleep(for: .milliseconds(1)) }
              return item
            }
          }
        }
        let run = try pipeline.start(on: pool)
        while await run.snapshot.stages[0].hasEnded == false { await Task.yield() }
        let error = await #expect(throws: PipelineError.self) { try await run.stop(.now) }
        #expect(error?.kind == .sourceFailed && run.state == .failed)
      }
    }

    @Test(
      "U166: of a stage whose worker dies in its tear-down each item has its outcome, and then the error comes",
      arguments: Backends.isolating, DiesAtItsEnd.How.allCases)
    func deadlyTearDowns(backend: WorkerPool.Backend, how: DiesAtItsEnd.How) async throws {
      try await withWorkerPool(backend) { pool in
        let limit = StageOptions(timeouts: MapOptions.Timeouts(tearDown: how == .late ? .milliseconds(100) : nil))
        let whole = Pipeline<Int, Int> { DiesAtItsEnd(how: how) }.options(limit)
        let staged = Pipeline<Int, Int> { AddX(amount: 0) }.stage(DiesAtItsEnd.Gathering(how: how)).options(limit)
        for pipeline in [whole, staged] {
          var outputs: [Int] = []
          let error = await #expect(throws: PipelineError.self) {
            for try await output in pipeline.outputs(of: 0..<3, on: pool) { outputs.append(output) }
          }
          #expect(outputs == [0, 1, 2] && error?.kind == .tearDownFailed)
          let cause = (error?.underlying as? WorkerFailure)?.cause
          switch (how, cause) {
          case (.trap, .crashed?), (.kill, .crashed?), (.exit, .exited(code: 3)?), (.late, .timedOut?): break
          default: Issue.record("\(how): \(error as Any)")
          }
          await #expect(throws: PipelineError.self) { try await pipeline.run(of: 0..<3, on: pool) }
          await #expect(throws: PipelineError.self) {
            for try await _ in pipeline.outcomes(of: 0..<3, on: pool) {}
          }
        }
      }
    }
  }
}
