import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#endif

extension Checked {
  /// What holds of every pipeline, whatever its stages.
  @Suite(.timeLimit(.minutes(1))) struct PipelineRules {
    @Test(
      "a stage is torn down after its last item, and what it puts then comes behind that",
      arguments: Backends.everything)
    func tearDown(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool in
          let pipeline = Pipeline { Items(1...20) }.map(with: AddX(amount: 0)).stage(Tallying(ledger: ledger))
            .stage(Tallying())
          let found1 = try await pipeline.list(on: pool)
          #expect(found1 == Array(1...20) + [-20, -21])
          let lines = ["up"] + (1...20).map { "\($0)" } + ["down"]
          let found2 = try ledger.lines
          #expect(found2 == lines)
        }
      }
    }

    @Test("many items, in order, through all kinds of stages", arguments: Backends.all.able(.runsClosures))
    func order(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let first = Pipeline { CountTo(limit: 3_000) }.map(with: AddX(amount: 1)).filter { $0 % 3 > 0 }
        let pipeline = first.flatMap { [$0, -$0] }.map(with: Times(factor: 2)).stage(Tap("See") { _ in })
          .map(with: AddX(amount: 1))
        var expected: [Int] = []
        for item in 2...3_001 where item % 3 > 0 { expected += [item * 2 + 1, -item * 2 + 1] }
        let found3 = try await pipeline.list(on: pool)
        #expect(found3 == expected)
        let unordered = try await pipeline.list(order: .completion, on: pool)
        #expect(unordered.sorted() == expected.sorted())
      }
    }

    @Test("never more is under way than the windows hold", arguments: Backends.all.able(.runsClosures))
    func backPressure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        let pipeline = Pipeline { source }.map { (item: Int) in
          // A closure in a worker process has no default executor to sleep with.
          usleep(1_000)
          return item
        }.stage(Tap("See") { _ in }).filter { _ in true }
        var taken = 0
        for try await _ in pipeline.outputs(on: pool) {
          taken += 1
          // What automatic windows say (`MapOptions.Window`): for each of the stations' slots 64, and as many as were taken. It is
          // two chunks of one mostly; where the consumer is late, those of the quick stages are larger.
          #expect(source.made.value - taken <= (1 + pool.width + 1 + pool.width) * (64 + taken))
          if taken == 100 { break }
        }
      }
    }

    @Test(
      "never more is under way than the layout says, while the consumer does nothing",
      arguments: Backends.all.able(.runsClosures))
    func asLaidOut(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let few = StageOptions(window: .items(12))
        let line = EndlessCount()
        try await holds(
          line, Pipeline { line }.map(with: AddX(amount: 1)).stage(Tap("See") { _ in }).options(few), pool)
        let batches = EndlessCount()
        try await holds(
          batches, Pipeline { batches }.map(with: AddX(amount: 1)).batch(5).map { $0.count }.options(few), pool, each: 5
        )
        let sorted = EndlessCount()
        try await holds(sorted, Pipeline { sorted }.sorted(within: 40, by: <).map { $0 }.options(few), pool)
        let timed = EndlessCount()
        try await holds(timed, Pipeline { timed }.batch(5, within: .seconds(60)).options(few), pool, each: 5)
        let dealt = EndlessCount()
        let branches: Pipeline<Nothing, Int> = Pipeline {
          dealt
          AnyOf {
            AddX(amount: 1)
            Times(factor: 2)
          }
          Parallel(2) { AddX(amount: 1) }
        }
        try await holds(dealt, branches.options(few), pool)
        let wide = EndlessCount()
        try await holds(wide, Pipeline { wide }.map(with: AddX(amount: 1)).filter { $0 % 2 > 0 }, pool)
      }
    }

    /// Takes some outputs, and counts what is made meanwhile; each of them is made of so many items.
    private func holds<Output>(
      _ source: EndlessCount, _ pipeline: Pipeline<Nothing, Output>, _ pool: WorkerPool, each: Int = 1
    ) async throws {
      let sum = pipeline.layout(on: pool).split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) }
        .first
      let most = try #require(sum)
      var taken = 0
      for try await _ in pipeline.outputs(on: pool) {
        taken += each
        var (made, looks) = (-1, 0)
        // Until it stands still, or goes on without end.
        while made != source.made.value, looks < 200 {
          made = source.made.value
          looks += 1
          try await Task.sleep(for: .milliseconds(5))
        }
        // One may be in the source's hand: it was put, and is not counted.
        #expect(made - taken <= most)
        if taken >= 8 * each { break }
      }
    }

    @Test(
      "of an endless source no more is under way than the layout says, however much has passed",
      arguments: Backends.shared, [StageOptions(window: .items(300)), StageOptions()])
    func endless(backend: WorkerPool.Backend, options: StageOptions) async throws {
      try await withWorkerPool(backend) { pool in
        let together = EndlessCount()
        let fused: Pipeline<Nothing, Int> = Pipeline { together }.map { $0 &+ 1 }.filter { $0 % 7 > 0 }.map { $0 &- 1 }
        try await passes(together, fused.options(options), pool) { $0 }
        let each = EndlessCount()
        let apart: Pipeline<Nothing, [Int]> = Pipeline { each }.map(with: AddX(amount: 0)).options(options)
          .stage(Tap("See") { _ in }).map { $0 }.options(options).batch(10)
        try await passes(each, apart.options(options), pool) { $0.last! }
      }
    }

    /// Takes what comes of very many items, in their order, as somebody who is late now and then; `last` is the last of them that an output is made of.
    private func passes<Output>(
      _ source: EndlessCount, _ pipeline: Pipeline<Nothing, Output>, _ pool: WorkerPool, last: (Output) -> Int
    ) async throws {
      let sum = pipeline.layout(on: pool).split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) }
        .first
      let most = try #require(sum)
      var (worst, next) = (0, 5_000)
      for try await output in pipeline.outputs(on: pool) {
        let passed = last(output) + 1
        // One more may be in the source's hand.
        worst = max(worst, source.made.value - passed)
        if passed >= 25_000 { break }
        if passed < next { continue }
        next += 5_000
        // All stations fill up meanwhile.
        usleep(20_000)
      }
      #expect(worst <= most)
    }

    @Test("what has failed before counts in a window, too, behind an item that takes long", arguments: Backends.shared)
    func failedBehindSlow(backend: WorkerPool.Backend) async throws {
      guard backend.kind.widths.upperBound > 1 else { return }
      try await withWorkerPool(backend) { pool in
        let (source, isOpen) = (EndlessCount(), CommonCounter())
        let pipeline = Pipeline { source }.map { (item: Int) in
          if item > 0 { throw Refused(item: item) }
          return item
        }.through(
          Parallel(1) {
            Map { (item: Int) in
              while isOpen.value == 0 { usleep(1_000) }
              return item
            }
          }
        ).options(StageOptions(onFailure: .skip, window: .items(20)))
        let sum = pipeline.layout(on: pool).split(separator: "\n").last?.split(separator: " ").compactMap { Int($0) }
          .first
        let most = try #require(sum)
        let run = Task {
          for try await outcome in pipeline.outcomes(on: pool) where outcome.index == 100 { return outcome.index }
          return -1
        }
        var made = -1
        while made != source.made.value || made == 0, made <= most {
          made = source.made.value
          try await Task.sleep(for: .milliseconds(50))
        }
        #expect(made > 0 && made <= most)
        isOpen.set(1)
        let found = try await run.value
        #expect(found == 100)
      }
    }

    @Test("who leaves the loop ends it all", arguments: Backends.all.able(.runsClosures))
    func leaving(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<3 {
          let pipeline = Pipeline { EndlessCount() }.map(with: AddX(amount: 1)).stage(Tallying()).map { $0 * 2 }
          for try await item in pipeline.outputs(on: pool) where item >= 40 { break }
        }
      }
    }

    @Test("cancelling the task ends it all, and the sources are told", arguments: Backends.all)
    func cancelling(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        let pipeline = Pipeline { source }.map(with: AddX(amount: 1)).stage(Tallying())
        let task = Task { try await pipeline.run(on: pool) }
        while source.made.value < 50 { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        let list = Task { try await Pipeline { EndlessCount() }.list(on: pool) }
        list.cancel()
        await #expect(throws: CancellationError.self) { try await list.value }
      }
    }

    @Test("a stage that stops keeps what it has put, and ends what feeds it", arguments: Backends.everything)
    func stopping(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let early = Pipeline { EndlessCount() }.stage(FirstOnly(count: 5)).batch(2)
        let found4 = try await early.list(on: pool)
        #expect(found4 == [[0, 1], [2, 3], [4]])
        let late = Pipeline { EndlessCount() }.map(with: AddX(amount: 1)).stage(Tap("See") { _ in })
          .stage(FirstOnly(count: 5)).stage(Tallying())
        let found5 = try await late.list(on: pool)
        #expect(found5 == [1, 2, 3, 4, 5, -5])
        // Who stands beside goes on.
        let beside = Pipeline<Int, Int>.graph { flow in
          merge(flow.map(with: AddX(amount: 0)).stage(FirstOnly(count: 3)), flow.map(with: AddX(amount: 100)))
        }
        let merged = try await beside.list(of: 0..<50, on: pool)
        #expect(merged.sorted() == Array(0..<3) + Array(100..<150))
      }
    }

    @Test("a stage may stop in its set-up, and a source by itself", arguments: Backends.all)
    func stoppingEarly(backend: WorkerPool.Backend) async throws {
      struct Never: Stage, Codable {
        var puts: Bool
        func setUp(_ context: StageContext, _ out: Outlet<Int>) async throws {
          if puts { try await out.put(-1) }
          out.stop()
        }
        func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws { try await out.put(item) }
      }
      struct Stopping: Source {
        func produce(_ out: Outlet<Int>) async throws {
          for number in 0..<100 {
            try await out.put(number)
            if number == 4 { out.stop() }
          }
        }
      }
      try await withWorkerPool(backend) { pool in
        for puts in [true, false] {
          let early = try await Pipeline { EndlessCount() }.stage(Never(puts: puts)).list(on: pool)
          #expect(early == (puts ? [-1] : []))
        }
        let stopped = try await Pipeline { Stopping() }.stage(Tallying()).list(on: pool)
        #expect(stopped == [0, 1, 2, 3, 4, -5])
      }
    }

    @Test("the shortest branch ends a zip, and what feeds only the others", arguments: Backends.all)
    func shortest(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let zipped = Pipeline<Nothing, (Int, Int)>.graph { _ in
          zip(
            Millrace.Flow(EndlessCount()).map(with: AddX(amount: 1)),
            Millrace.Flow(Items(1...3)).map(with: AddX(amount: 10)))
        }
        let found6 = try await zipped.list(on: pool).map { "\($0)" }
        #expect(found6 == ["(1, 11)", "(2, 12)", "(3, 13)"])
      }
    }

    @Test("an item that fails keeps its place, to the end and in a row", arguments: Backends.everything)
    func placeHolders(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let picky = Picky(modulus: 5, remainder: 2)
        let pipeline = Pipeline<Int, Int> { AddX(amount: 0) }.stage(Tap("See") { _ in }).map(with: picky)
          .stage(Tap("See") { _ in }).map(with: AddX(amount: 1))
        var lines: [String] = []
        for try await outcome in pipeline.outcomes(of: Array(0..<12), on: pool) {
          switch outcome.result {
          case .success(let output): lines.append("\(outcome.index): \(output)")
          case .failure(let failure):
            lines.append("\(outcome.index) at \(failure.stage?.name ?? "?")")
            #expect(failure.index == outcome.index)
          }
        }
        let expected = (0..<12).map { item in item % 5 == 2 ? "\(item) at Picky" : "\(item): \(item * 2 + 1)" }
        #expect(lines == expected)

        let rows = Pipeline<Int, (Int, Int)>.graph { flow in
          zip(flow.map(with: picky), flow.map(with: AddX(amount: 0)))
        }.options(StageOptions(onFailure: .skip))
        let found = try await rows.list(of: Array(0..<12), on: pool).map { "\($0)" }
        let whole = (0..<12).filter { $0 % 5 != 2 }
        #expect(found == whole.map { "(\($0 * 2), \($0))" })
      }
    }

    @Test(
      "what failed is left out, collected, or ends the run, as the stage or its group says", arguments: Backends.all)
    func policies(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let stages = Pipeline<Int, Int> { AddX(amount: 0) }.map(with: Picky(modulus: 5, remainder: 2)).batch(1)
        let skipped = try await stages.options(StageOptions(onFailure: .skip)).list(of: 0..<9, on: pool)
        #expect(skipped == [[0], [2], [6], [8], [10], [12], [16]])
        let collected = await #expect(throws: ItemFailures.self) {
          try await stages.options(StageOptions(onFailure: .collect)).list(of: 0..<9, on: pool)
        }
        #expect(collected?.failures.map(\.index) == [2, 7] && collected?.count == 2)
        #expect(collected?.failures.allSatisfy { $0.stage?.name == "Picky" } == true)
        let first = await #expect(throws: ItemFailure.self) { try await stages.list(of: 0..<9, on: pool) }
        #expect(first?.stage == ItemFailure.Stage(name: "Picky", position: 2))
      }
    }

    @Test("a source that throws ends the run, and is named")
    func sources() async throws {
      struct Broken: Source {
        func produce(_ out: Outlet<Int>) async throws {
          try await out.put(1)
          throw Refused(item: 7)
        }
      }
      let error = await #expect(throws: PipelineError.self) { try await Pipeline { Broken() }.batch(2).list() }
      #expect(error?.kind == .sourceFailed && error?.underlying as? Refused == Refused(item: 7))
      #expect(error?.stage == ItemFailure.Stage(name: "Broken", position: 0))
    }

    @Test("a stage is a branch of a zip, as it is a line of anything else")
    func stageInZip() async throws {
      let pipeline = Pipeline<Int, (Int, Int)> {
        Zip {
          AddX(amount: 1)
          Tallying()
        }
      }
      let rows = try await pipeline.list(of: 1...3)
      #expect(rows.prefix(3).map(\.0) == [2, 3, 4])
      #expect(rows.prefix(3).map(\.1) == [1, 2, 3])
    }

    @Test("a pool that ends under a pipeline ends it", arguments: Backends.all)
    func poolEnds(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let source = EndlessCount()
      let run = try Pipeline { source }.map(with: AddX(amount: 1)).stage(Tallying()).start(on: pool)
      while source.made.value < 50 { await Task.yield() }
      try await pool.terminate()
      let error = await #expect(throws: WorkerPoolError.self) { try await run.wait() }
      #expect(error?.kind == .closed && run.state == .failed)
      await #expect(throws: WorkerPoolError.self) {
        try await Pipeline { Items(1...5) }.map(with: AddX(amount: 1)).list(on: pool)
      }
    }

    @Test("a pipeline is a value: each run is new, and several at once", arguments: Backends.all)
    func values(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { Items(0..<200) }.map(with: AddX(amount: 1)).stage(Tallying()).batch(50)
        let lists = try await withThrowingTaskGroup { group in
          for _ in 0..<3 { group.addTask { try await pipeline.list(on: pool) } }
          return try await group.reduce(into: [[[Int]]]()) { $0.append($1) }
        }
        for list in lists { #expect(list.flatMap { $0 } == Array(1...200) + [-200]) }
      }
    }

    @Test("an edge that is too narrow for its join is widened", arguments: Backends.all)
    func widening(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline<Int, (Int, [Int])>.graph { flow in
          let all = flow.map(with: AddX(amount: 0))
          return zip(all, all.batch(500))
        }
        let rows = try await pipeline.list(of: 0..<1_000, on: pool)
        #expect(rows.map(\.0) == [0, 1] && rows.map(\.1.count) == [500, 500])
      }
    }

    @Test(
      "a run that was begun is waited for, paused, drained and stopped", arguments: Backends.all.able(.runsClosures))
    func runs(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let count = CommonCounter()
        let whole = try Pipeline { Items(0..<100) }.map(with: AddX(amount: 1)).map { _ in count.increment() }
          .start(on: pool)
        try await whole.wait()
        #expect(whole.state == .finished && count.value == 100)

        for how in [PipelineRun.Stop.drain, .now] {
          let source = EndlessCount()
          let passed = CommonCounter()
          let run = try Pipeline { source }.map { (item: Int) in
            passed.increment()
            return item
          }.stage(Tallying()).start(on: pool)
          while passed.value < 50 { await Task.yield() }
          run.pause()
          #expect(run.state == .paused)
          run.resume()
          let before = passed.value
          while passed.value < before + 50 { await Task.yield() }
          try await run.stop(how)
          #expect(run.state == .finished)
          try await run.wait()
        }
      }
    }

    @Test("U244: a paused run's source waits in its next put, however slow it is, and a stop lets go of it")
    func pausedSource() async throws {
      let (put, seen) = (CommonCounter(), CommonCounter())
      let pipeline = Pipeline { Ticks(count: put) }.map { (item: Int) in
        seen.increment()
        return item
      }
      for how in [PipelineRun.Stop.drain, .now] {
        let run = try pipeline.start()
        while seen.value < 3 { await Task.yield() }
        run.pause()
        // It may be past the gate with one item.
        try await Task.sleep(for: .milliseconds(20))
        let (wasPut, wasSeen) = (put.value, seen.value)
        try await Task.sleep(for: .milliseconds(100))
        #expect(put.value <= wasPut + 1 && seen.value <= wasSeen + 1)
        run.resume()
        while seen.value < wasSeen + 3 { await Task.yield() }
        run.pause()
        try await run.stop(how)
      }
    }

    @Test("stages have backends and widths of their own")
    func backends() async throws {
      let pipeline: Pipeline<Nothing, Int> = Pipeline {
        Items(1...200)
        Parallel(3) { AddX(amount: 1) }
        Parallel(2, on: .processes()) { Times(factor: 2) }
        Serial { Map { (item: Int) in item } }
        Parallel(2, on: .tasks()) { AddX(amount: 1) }
      }
      guard !ThreadSanitizer.isOn else { return }
      let outputs = try await pipeline.list()
      #expect(outputs == (1...200).map { ($0 + 1) * 2 + 1 })
    }
  }
}

/// An item a millisecond, without end.
private struct Ticks: Source {
  let count: CommonCounter

  func produce(_ out: Outlet<Int>) async throws {
    for number in 0... {
      try await Task.sleep(for: .milliseconds(1))
      count.increment()
      try await out.put(number)
    }
  }
}
