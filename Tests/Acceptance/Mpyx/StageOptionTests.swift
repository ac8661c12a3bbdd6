import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Throws at the first attempts of each item.
private struct FailsAtFirst: StatelessWorker, Codable {
  var attempts: Int

  func process(_ item: Int) throws -> Int {
    let attempt = WorkerContext.current?.attempt ?? 0
    if attempt <= attempts { throw Refused(item: item) }
    return attempt
  }
}

private struct Hangs: StatelessWorker, Codable {
  var item: Int

  func process(_ item: Int) -> Int {
    while item == self.item { usleep(1_000) }
    return item
  }
}

private struct SaysProcess: StatelessWorker, Codable {
  func process(_ item: Int) -> Int32 { getpid() }
}

private struct SleepsAtEach: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    usleep(20_000)
    return item
  }
}

extension Checked {
  /// What options say is so while a pipeline runs, whoever inherits them.
  @Suite(.timeLimit(.minutes(1))) struct StageOptionRules {
    /// With a group of its own in another, which has options.
    private func inner<Output>(
      _ stage: Pipeline<Int, Output>, in outer: StageOptions
    ) -> Pipeline<Int, Output> {
      Pipeline<Int, Int> { AddX(amount: 0) }.through(stage.options(StageOptions(name: "inner"))).options(outer)
    }

    @Test("a retry is inherited", arguments: Backends.all)
    func retry(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = inner(Pipeline<Int, Int> { FailsAtFirst(attempts: 2) }, in: StageOptions(retry: .upTo(2)))
        let attempts = try await pipeline.list(of: 1...5, on: pool)
        #expect(attempts == [3, 3, 3, 3, 3])
        let failure = await #expect(throws: ItemFailure.self) {
          try await inner(Pipeline<Int, Int> { FailsAtFirst(attempts: 2) }, in: StageOptions(retry: .upTo(1)))
            .list(of: 1...5, on: pool)
        }
        #expect(failure?.attempt == 2 && failure?.stage?.name == "inner")
      }
    }

    @Test("limits on time, a lifespan and a backend are inherited", .enabled(if: !ThreadSanitizer.isOn))
    func inherited() async throws {
      try await withWorkerPool(.threads(2)) { pool in
        let limits = StageOptions(
          on: .processes(1), onFailure: .skip, timeouts: MapOptions.Timeouts(item: .milliseconds(200)))
        let found = try await inner(Pipeline<Int, Int> { Hangs(item: 3) }, in: limits).list(of: 1...5, on: pool)
        #expect(found == [1, 2, 4, 5])
        let elsewhere = try await inner(
          Pipeline<Int, Int32> { SaysProcess() }, in: StageOptions(on: .processes(1))
        ).list(of: 1...5, on: pool)
        #expect(Set(elsewhere).count == 1 && elsewhere[0] != getpid())
        let shortly = StageOptions(on: .processes(1), lifespan: MapOptions.Lifespan(items: 2))
        let each = try await inner(Pipeline<Int, Int32> { SaysProcess() }, in: shortly).list(of: 1...6, on: pool)
        #expect(Set(each).count >= 2)
      }
    }

    @Test(
      "a stage whose workers have a lifespan is torn down as often, and what that puts comes at its end",
      arguments: Backends.all)
    func lifespan(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let options = StageOptions(lifespan: MapOptions.Lifespan(items: 10))
        let pipeline = Pipeline<Int, Int> { Tallying() }.options(options)
        let found = try await pipeline.list(of: 1...25, on: pool)
        #expect(found.prefix(25) == Array(1...25)[...])
        // After ten items, or the few more of its chunk.
        let counts = found.dropFirst(25)
        #expect(counts.count == 3 && counts.reduce(0, +) == -25)
      }
    }

    @Test("a stage that asks for an order has it, though the outputs need none", arguments: Backends.wide)
    func order(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let arrived = CommonCounter()
        // The first item waits for one behind it, as far as that may pass it.
        func pipeline(_ order: MapOptions.Order?) -> Pipeline<Int, Int> {
          let first = Pipeline<Int, Int> {
            Map { (item: Int) in
              let deadline = ContinuousClock.now + .milliseconds(order == .input ? 100 : 10_000)
              while item == 0, arrived.value == 0, ContinuousClock.now < deadline { usleep(1_000) }
              return item
            }
          }
          let second = Pipeline<Int, Int> {
            Map { (item: Int) in
              arrived.increment()
              return item
            }
          }
          return first.through(
            Parallel(1) { second.options(StageOptions(order: order)) })
        }
        arrived.set(0)
        let ordered = try await pipeline(.input).list(of: 0..<8, order: .completion, on: pool)
        #expect(ordered == Array(0..<8))
        arrived.set(0)
        let unordered = try await pipeline(nil).list(of: 0..<8, order: .completion, on: pool)
        #expect(unordered.sorted() == Array(0..<8) && unordered.first != 0)
      }
    }

    @Test("a stage whose workers cannot go on ends the run, and is named")
    func stationFailed() async throws {
      let pipeline = Pipeline<Int, Int> { AddX(amount: 1) }.stage(Tap("See") { _ in }).through(
        Pipeline { SleepsAtEach() }.options(
          StageOptions(name: "slow", timeouts: MapOptions.Timeouts(total: .milliseconds(100)))))
      let error = await #expect(throws: PipelineError.self) { try await pipeline.list(of: 0..<10_000) }
      #expect(error?.kind == .stationFailed && error?.stage.name == "slow")
      #expect(error?.underlying is WorkerPoolError)
      #expect("\(error!)".hasPrefix("stage slow: it cannot go on: "))
    }

    @Test(
      "Parallel(n) has n slots over and above the shared ones, whose instances are numbered 0 to n - 1",
      arguments: Backends.apart.able(.runsClosures))
    func ownSlots(backend: WorkerPool.Backend) async throws {
      guard backend.kind.widths.upperBound >= 4 else { return }
      try await withWorkerPool(backend) { pool in
        let (met, isOver) = (CommonCounter(), CommonCounter())
        struct Numbers: Stage {
          let met: CommonCounter
          func setUp(_ context: StageContext, _ out: Outlet<Int>) -> Int { context.instance }
          func process(_ item: Int, state instance: inout Int, _ out: Outlet<Int>) async throws {
            // All of them are at an item at once.
            if item < 3 { await met.meet(3) }
            try await out.put(instance)
          }
        }
        // What shares the pool's slots holds all of them, until those beside it are through.
        let pipeline = Pipeline<Int, (Int, Int)>.graph { flow in
          zip(
            flow.through(Parallel(3) { Numbers(met: met) }).stage(
              Tap("Count") { _ in isOver.increment() }),
            flow.map { (item: Int) in
              await isOver.wait(for: 3)
              return item
            })
        }
        let rows = try await pipeline.list(of: 0..<3, on: pool)
        #expect(rows.map(\.0).sorted() == [0, 1, 2] && rows.map(\.1) == [0, 1, 2])
      }
    }
  }
}
