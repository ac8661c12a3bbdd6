import Logging
import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#endif

extension Checked {
  /// One run, several consumers.
  @Suite(.timeLimit(.minutes(1))) struct ForkedPipelines {
    /// Numbers, and as text, with a stage in common.
    private func fork(_ common: CommonCounter? = nil) -> ForkedPipeline<Int, Int, String> {
      ForkedPipeline<Int, Int, String>.graph { flow in
        let all = flow.map { (item: Int) in
          common?.increment()
          return item
        }
        return (all.map(with: AddX(amount: 1)), all.stage(Tap("See") { _ in }).map { "\($0)" })
      }
    }

    private func all<Output, Items>(_ outputs: OutputSequence<Output, Items>) async throws -> [Output] {
      try await outputs.reduce(into: []) { $0.append($1) }
    }

    @Test(
      "each consumer gets all of its output, and what is common runs once",
      arguments: Backends.everything.able(.runsClosures))
    func both(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for order in [MapOptions.Order.input, .completion] {
          let common = CommonCounter()
          let (numbers, texts) = fork(common).outputs(of: 0..<500, order: order, on: pool)
          async let first = all(numbers)
          let second = try await all(texts)
          let found = try await first
          if order == .input {
            #expect(found == Array(1...500) && second == (0..<500).map { "\($0)" })
          } else {
            #expect(found.sorted() == Array(1...500) && second.sorted() == (0..<500).map { "\($0)" }.sorted())
          }
          #expect(common.value == 500)
        }
      }
    }

    @Test("who is ahead waits for who is behind, so that no more is kept than the layout says", arguments: Backends.all)
    func backPressure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        let fork = ForkedPipeline<Nothing, Int, Int>.graph { _ in
          let all = Millrace.Flow(source).map(with: AddX(amount: 0))
          return (all.map(with: AddX(amount: 0)), all.map(with: AddX(amount: 1)))
        }.options(StageOptions(window: .items(10)))
        let (quick, slow) = fork.outputs(on: pool)
        let (taken, begun) = (CommonCounter(), CommonCounter())
        async let ahead: Void = {
          // The slow one is there: nothing is kept for him until he comes.
          await begun.wait(for: 1)
          for try await item in quick {
            taken.increment()
            if item == 400 { break }
          }
        }()
        var behind = 0
        for try await _ in slow {
          behind += 1
          begun.increment()
          if behind.isMultiple(of: 20) { usleep(5_000) }
          // Three windows, the edges between, and what each was handed.
          #expect(taken.value - behind <= 150 && source.made.value - behind <= 150)
          if behind == 401 { break }
        }
        try await ahead
      }
    }

    @Test(
      "a loop that is left, or an output that nobody wants, leaves the other going",
      arguments: Backends.all.able(.runsClosures))
    func leaving(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (numbers, texts) = fork().outputs(of: 0..<5_000, on: pool)
        async let left: Void = { for try await item in numbers where item == 10 { break } }()
        let second = try await all(texts)
        #expect(second.count == 5_000)
        try await left
        let (only, _) = fork().outputs(of: 0..<5_000, on: pool)
        let first = try await all(only)
        #expect(first == Array(1...5_000))
        // When both have left, the source is told.
        for _ in 0..<3 {
          let endless = ForkedPipeline<Nothing, Int, Int>.graph { _ in
            let all = Millrace.Flow(EndlessCount()).map(with: AddX(amount: 1))
            return (all.stage(Tallying()), all)
          }
          let (one, other) = endless.outputs(on: pool)
          async let begun: Void = { for try await item in one where item == 50 { break } }()
          for try await item in other where item == 80 { break }
          try await begun
        }
      }
    }

    @Test("a task that is cancelled leaves the other going; when both are, it is over", arguments: Backends.all)
    func cancelling(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let endless = ForkedPipeline<Nothing, Int, Int>.graph { _ in
          let all = Millrace.Flow(EndlessCount()).map(with: AddX(amount: 1))
          return (all.map(with: AddX(amount: 0)), all)
        }
        let (one, other) = endless.outputs(on: pool)
        let (seen, alone) = (CommonCounter(), CommonCounter())
        let first = Task { for try await _ in one { seen.increment() } }
        let second = Task { for try await _ in other { alone.increment() } }
        await seen.wait(for: 100)
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        let so = alone.value
        await alone.wait(for: so + 2_000)
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
      }
    }

    @Test("a failure ends both, whoever comes to it first", arguments: Backends.all)
    func failing(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for isCommon in [true, false] {
          let fork = ForkedPipeline<Int, Int, Int>.graph { flow in
            let all = isCommon ? flow.map(with: Picky(modulus: 100, remainder: 40)) : flow.map(with: AddX(amount: 0))
            let other = isCommon ? all : all.map(with: Picky(modulus: 100, remainder: 40))
            return (all.map(with: AddX(amount: 0)), other)
          }
          let (one, another) = fork.outputs(of: 0..<100_000, on: pool)
          async let first = failure(one)
          let second = await failure(another)
          let found = await first
          #expect(found.index == 40 && second.index == 40)
          // To whom it came has all that is before it.
          #expect(isCommon ? max(found.outputs, second.outputs) == 40 : second.outputs == 40)
        }
        // Each item that is left out, or told of, is so in both.
        let picky = ForkedPipeline<Int, Int, Int>.graph { flow in
          let all = flow.map(with: Picky(modulus: 5, remainder: 2))
          return (all, all.map(with: AddX(amount: 0)))
        }.options(StageOptions(onFailure: .skip))
        let (one, other) = picky.outputs(of: 0..<10, on: pool)
        async let first = all(one)
        let second = try await all(other)
        let found = try await first
        #expect(found == [0, 2, 6, 8, 10, 12, 16, 18] && second == found)
      }
    }

    private func failure<Items>(_ outputs: OutputSequence<Int, Items>) async -> (index: Int, outputs: Int) {
      var count = 0
      do {
        for try await _ in outputs { count += 1 }
        return (-1, count)
      } catch {
        return ((error as? ItemFailure)?.index ?? -2, count)
      }
    }

    @Test("one task may take a few of one output after the other", arguments: Backends.all.able(.runsClosures))
    func inTurn(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (numbers, texts) = fork().outputs(of: 0..<2_000, on: pool)
        let first = try await all(numbers)
        let second = try await all(texts)
        #expect(first == Array(1...2_000) && second == (0..<2_000).map { "\($0)" })
      }
    }

    @Test("for an output of which nobody takes there is an end to what is kept: it is said which that is")
    func unattended() async throws {
      let (numbers, texts) = fork().outputs(of: 0..<200_000)
      let error = await #expect(throws: PipelineError.self) { try await all(numbers) }
      #expect(error?.kind == .standstill && error?.stage.name.hasPrefix("function") == true)
      #expect("\(error!)".contains("65536 items wait for the loop over output 2, which has not begun"))
      await #expect(throws: PipelineError.self) { try await all(texts) }
    }

    @Test("U273: that an output's loop begins later than another's is no warning, however much waits for it")
    func later() async throws {
      let heard = Heard()
      try await withWorkerPool(.threads(2), logger: heard.logger(.trace)) { pool in
        let (numbers, texts) = fork().outputs(of: 0..<20_000, on: pool)
        let first = try await all(numbers)
        let second = try await all(texts)
        #expect(first.count == 20_000 && second.count == 20_000)
      }
      let lines = heard.lines.filter { $0.message.hasPrefix("an edge of the pipeline is widened") }
      #expect(lines.count > 8 && lines.allSatisfy { $0.level == .info })
    }

    @Test("each output is taken by one loop; what is wrong is said to all of them")
    func refusals() async throws {
      let (numbers, texts) = fork().outputs(of: 0..<10)
      async let first = all(numbers)
      _ = try await all(texts)
      _ = try await first
      let error = await #expect(throws: InvalidOption.self) { try await all(texts) }
      #expect("\(error!)".contains("taken a second time"))
      let wrong = ForkedPipeline<Int, [Int], Int>.graph { flow in (flow.batch(0), flow) }
      let (batches, items) = wrong.outputs(of: 0..<10)
      let refused = Task { try await all(items) }
      await #expect(throws: InvalidOption.self) { try await all(batches) }
      await #expect(throws: InvalidOption.self) { try await refused.value }
    }

    @Test(
      "three outputs, one of them twice, of items that arrive, and their meta",
      arguments: Backends.all.able(.runsClosures))
    func three(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let fork = ForkedPipeline<Int, Int, Int, String>.graph { flow in
          let all = flow.stage(Renames())
          return (all, all, all.map { "\(Meta.current[FileName.self] ?? "none") \($0)" })
        }
        #expect(fork.layout().contains(">> Renames ×1"))
        let (stream, feed) = AsyncStream.makeStream(of: Int.self)
        for item in 1...50 { feed.yield(item) }
        feed.finish()
        let (one, two, named) = fork.outputs(of: stream, on: pool)
        async let (first, second) = (all(one), all(two))
        let third = try await all(named)
        let found = try await (first, second)
        #expect(found.0 == Array(1...50) && found.1 == found.0)
        #expect(third == (1...50).map { "renamed \($0) \($0)" })
      }
    }
  }
}
