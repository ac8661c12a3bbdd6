import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// PaPy's cases of its graph, in pipelines.
  @Suite(.timeLimit(.minutes(1))) struct PlumberCases {
    @Test(
      "I15 composition goes from left to right, and a failed item is not evaluated further",
      arguments: Backends.all.able(.runsClosures))
    func i15(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let double = Pipeline<Int, Int>.graph { $0.map { 2 * $0 } }
        let square = Pipeline<Int, Int>.graph { $0.map { $0 * $0 } }
        let first = try await double.through(square).list(of: [3], on: pool)
        let second = try await square.through(double).list(of: [3], on: pool)
        #expect(first == [36] && second == [18])
        let numbers = Pipeline<String, Int>.graph { texts in
          texts.map { text in
            guard let number = Int(text) else { throw Refused(item: 0) }
            return number
          }
        }
        var seen: [String] = []
        for try await outcome in numbers.map({ $0 * 6 + 0 }).outcomes(of: ["1", "a", "3"], on: pool) {
          switch outcome.result {
          case .success(let number): seen.append("\(number)")
          case .failure(let failure): seen.append("failed \(failure.index)")
          }
        }
        #expect(seen == ["6", "failed 1", "18"])
      }
    }

    @Test("I17 rows are in the order in which the branches were given", arguments: Backends.all.able(.runsClosures))
    func i17(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let join = Pipeline<String, String>.graph { words in
          let right = words.map { $0.replacing("o", with: "0") }
          let left = words.map { $0.replacing("e", with: "3") }
          return zip(left, right).map { "\($0) \($1)" }
        }
        let found = try await join.list(of: ["hello", "folks"], on: pool)
        #expect(found == ["h3llo hell0", "folks f0lks"])
      }
    }

    @Test(
      "I20 an endless source that is stopped: each stage has seen as many items as the others",
      arguments: Backends.all.able(.runsClosures))
    func i20(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (first, second) = (CommonCounter(), CommonCounter())
        let run = try Pipeline { EndlessCount() }
          .map { (item: Int) in
            first.increment()
            return item
          }
          .stage(Tap("See") { _ in second.increment() }).start(on: pool)
        while second.value < 100 { await Task.yield() }
        run.pause()
        #expect(run.state == .paused)
        run.resume()
        try await run.stop(.drain)
        #expect(run.state == .finished && first.value == second.value && first.value >= 100)
        // Neither is wrong when it is over.
        run.pause()
        run.resume()
        try await run.stop()
        #expect(run.state == .finished)
        try await run.wait()
      }
    }
  }
}
