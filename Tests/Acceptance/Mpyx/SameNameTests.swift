import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Keeps the names of those of which it is told.
private final class Named: ProgressReporter {
  private let names = Lock<Set<String>>([])
  func report(_ state: ProgressState) { names.withLock { _ = $0.insert(state.name) } }
  var all: Set<String> { names.withLock { $0 } }
}

extension Checked {
  /// What one way of writing or running a pipeline has, the others have.
  @Suite(.timeLimit(.minutes(1))) struct SameNames {
    @Test("flows have parallel, zip and options, which mean what they do in a chain")
    func flows() {
      let few = StageOptions(onFailure: .skip, window: .items(7))
      let chain = Pipeline<Int, Int> { AddX(amount: 1) }.parallel(2, AddX(amount: 1)).parallel(3, Tallying())
        .options(few).map(with: AddX(amount: 1))
      let flow = Pipeline<Int, Int>.graph { flow in
        flow.map(with: AddX(amount: 1)).parallel(2, AddX(amount: 1)).parallel(3, Tallying()).options(few)
          .map(with: AddX(amount: 1))
      }
      #expect(chain.layout() == flow.layout())
      #expect(flow.layout().contains("Tallying ×3"))
      let rows = Pipeline<Int, (Int, String)>.graph { flow in flow.zip(flow.map { "\($0)" }) }
      let same = Pipeline<Int, (Int, String)>.graph { flow in zip(flow, flow.map { "\($0)" }) }
      #expect(rows.layout() == same.layout())
    }

    @Test(
      "options of a flow are those of all before it, the nearest first, and a fork stays one",
      arguments: Backends.all.able(.runsClosures))
    func options(backend: WorkerPool.Backend) async throws {
      let runs = CommonCounter()
      let pipeline = Pipeline<Int, (Int, Int)>.graph { flow in
        let common = flow.map { (item: Int) in
          runs.increment()
          return item
        }.options(StageOptions(name: "common", onFailure: .skip))
        let first = common.map(with: Picky(modulus: 5, remainder: 2)).options(
          StageOptions(onFailure: .collect, window: .items(9)))
        return zip(first, common.map(with: AddX(amount: 0)).options(StageOptions(onFailure: .skip)))
      }
      let stages = Blueprint(pipeline).stages
      #expect(stages.map(\.name) == ["in", "common", "Picky", "AddX", "zip"])
      let (common, picky) = (stages[1].options, stages[2].options)
      #expect(common.onFailure == .skip && common.window == .items(9))
      #expect(picky.onFailure == .collect && picky.window == .items(9))
      #expect(
        stages[3].options.onFailure == .skip && stages[3].options.window == nil && stages[4].options.onFailure == nil)
      try await withWorkerPool(backend) { pool in
        runs.set(0)
        let failures = await #expect(throws: ItemFailures.self) { try await pipeline.list(of: 0..<10, on: pool) }
        #expect(failures?.failures.map(\.index) == [2, 7])
        #expect(runs.value == 10)
      }
    }

    @Test(
      "one value of the outputs of items that are given, and what the closure throws ends it", arguments: Backends.all)
    func reduces(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline<Int, Int> { AddX(amount: 1) }
        let sum = try await pipeline.reduce(into: 0, of: 1...100, on: pool) { $0 += $1 }
        #expect(sum == 5_150)
        let (stream, feed) = AsyncStream.makeStream(of: Int.self)
        for item in 1...10 { feed.yield(item) }
        feed.finish()
        let list = try await pipeline.reduce(into: [], of: stream, on: pool) { $0.append($1) }
        #expect(list == Array(2...11))
        let source = EndlessCount()
        await #expect(throws: Refused(item: 20)) {
          try await Pipeline { source }.map(with: AddX(amount: 0)).reduce(into: 0, on: pool) { sum, item in
            if item == 20 { throw Refused(item: item) }
            sum += item
          }
        }
      }
    }

    @Test("whatever verb, a run can be watched")
    func watched() async throws {
      let pipeline = Pipeline<Int, Int> { AddX(amount: 1) }.stage(Tap("See") { _ in })
      let named = (0..<5).map { _ in Named() }
      for try await _ in pipeline.outputs(of: 1...50, watch: .custom(named[0])) {}
      for try await _ in pipeline.outcomes(of: 1...50, watch: .custom(named[1])) {}
      _ = try await pipeline.reduce(into: 0, of: 1...50, watch: .custom(named[2])) { $0 += $1 }
      let whole = Pipeline { Items(1...50) }.through(pipeline)
      for try await _ in whole.outputs(watch: .custom(named[3])) {}
      for try await _ in whole.outcomes(watch: .custom(named[4])) {}
      for names in named { #expect(names.all == ["AddX", "See"]) }
    }

    // So many items that it is not over when it is paused: half a minute's on a cluster.
    @Test(
      "a run is waited for no longer than one likes, and goes on", arguments: Backends.all.without(.sharesWorkers))
    func waiting(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let source = EndlessCount()
        let run = try Pipeline { source }.map(with: AddX(amount: 1)).take(40_000).start(on: pool)
        run.pause()
        let error = await #expect(throws: WorkerPoolError.self) { try await run.wait(within: .milliseconds(20)) }
        #expect(error?.kind == .nextTimedOut && run.state == .paused)
        run.resume()
        try await run.wait(within: .seconds(50))
        #expect(run.state == .finished)
        try await run.wait(within: .zero)
        let failing = try Pipeline { Items(1...9) }.map(with: Picky(modulus: 5, remainder: 2)).start(on: pool)
        await #expect(throws: ItemFailure.self) { try await failing.wait(within: .seconds(50)) }
        await #expect(throws: ItemFailure.self) { try await failing.wait(within: .zero) }
      }
    }
  }
}
