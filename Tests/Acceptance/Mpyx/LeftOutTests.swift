import Logging
import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct RefusesTen: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int {
    if item == 10 { throw Refused(item: item) }
    return item
  }
}

/// A row of a row and a number, and a branch of the same flow that goes elsewhere.
private func rowsInRows() -> Pipeline<Int, Int> {
  Pipeline<Int, Int>.graph { (numbers: Flow<Int>) -> Flow<Int> in
    let odd = numbers.filter { $0 % 2 == 1 }
    let rows: Flow<Int> = zip(odd.map { $0 * 2 }, numbers).map { $0.0 + $0.1 }
    let outer: Flow<Int> = zip(rows, numbers.filter { $0 % 3 == 0 }).map { $0.0 + $0.1 }
    let twice: Flow<Int> = odd.filter { $0 == 7 }.flatMap { [$0, $0] }
    return merge(outer, twice)
  }
}

extension Checked {
  /// Branches that come together again, of which some leave items out.
  @Suite(.timeLimit(.minutes(1))) struct LeftOutRules {
    @Test(
      "an item that a branch leaves out has no row, and the others keep theirs",
      arguments: Backends.all.able(.runsClosures))
    func rows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, (Int, Int)> = Pipeline {
          Items(1...300)
          Zip {
            Pipeline<Int, Int> {
              AddX(amount: 0)
              Filter { (item: Int) in item % 3 == 0 }
              Tap("Look") { (_: Int) in }
              AddX(amount: 1_000)
            }
            Filter { (item: Int) in item % 2 == 0 }
          }
        }
        let found = try await pipeline.list(on: pool).map { [$0.0, $0.1] }
        #expect(found == stride(from: 6, through: 300, by: 6).map { [$0 + 1_000, $0] })
      }
    }

    @Test("a broadcast of which a branch leaves items out is in order", arguments: Backends.all.able(.runsClosures))
    func broadcast(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(1...200)
          Broadcast {
            Filter { (item: Int) in item % 2 == 0 }
            AddX(amount: 1_000)
          }
        }
        let found = try await pipeline.list(on: pool)
        var expected: [Int] = []
        for item in 1...200 {
          if item % 2 == 0 { expected.append(item) }
          expected.append(item + 1_000)
        }
        #expect(found == expected)
        let unordered = try await pipeline.list(order: .completion, on: pool)
        #expect(unordered.sorted() == found.sorted())
      }
    }

    @Test("rows in rows, and a branch that goes elsewhere", arguments: Backends.all.able(.runsClosures))
    func nested(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = rowsInRows()
        let found = try await pipeline.list(of: 1...120, on: pool)
        var expected = [7, 7]
        for item in stride(from: 3, through: 120, by: 6) { expected.append(item * 4) }
        #expect(found.sorted() == expected.sorted())
      }
    }

    @Test(
      "what failed beside what was left out is told, and what was left out before is nobody's",
      arguments: Backends.all.able(.runsClosures))
    func failures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, (Int, Int)> = Pipeline {
          Items(0..<60)
          Filter { (item: Int) in item % 2 == 0 }
          Zip {
            Filter { (item: Int) in item % 3 == 0 }
            RefusesTen()
          }
        }
        var lines: [String] = []
        for try await outcome in pipeline.outcomes(on: pool) {
          switch outcome.result {
          case .success(let row): lines.append("\(row.0) \(row.1)")
          case .failure(let failure): lines.append("\(failure.index) failed at \(failure.stage?.name ?? "")")
          }
        }
        var expected: [String] = []
        for item in 0..<60 {
          if item == 10 { expected.append("10 failed at RefusesTen") }
          if item % 6 == 0 { expected.append("\(item) \(item)") }
        }
        #expect(lines == expected)
      }
    }

    @Test("a branch that leaves almost all out makes no other one wait, however many items there are")
    func narrow() async throws {
      let count = 150_000
      let pipeline: Pipeline<Nothing, (Int, Int)> = Pipeline {
        Items(0..<count)
        Zip {
          Filter { (item: Int) in item % 10_000 == 0 }
          AddX(amount: 1)
        }
      }
      let found = try await pipeline.list().map { $0.1 }
      #expect(found == stride(from: 0, to: count, by: 10_000).map { $0 + 1 })
    }

    @Test("a batch that fails has the name of its first item", arguments: Backends.all.able(.runsClosures))
    func batches(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { Items(0..<50) }.batch(7).map { (batch: [Int]) in
          if batch.contains(24) || batch.contains(49) { throw Refused(item: batch[0]) }
          return batch.count
        }
        var failed: [Int] = []
        for try await outcome in pipeline.outcomes(on: pool) {
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        // 21 to 27, and the one that was left at the end.
        #expect(failed == [21, 49])
      }
    }

    @Test("a name that is given to stages is not the source's")
    func names() {
      let named = Pipeline { Items(0..<5) }.map { $0 + 1 }.options(StageOptions(name: "careful"))
      #expect(
        named.layout().split(separator: "\n").dropLast().map { $0.prefix { $0 != "×" } } == ["Items ", ">> careful "])
      let source = Pipeline { Items(0..<5) }.options(StageOptions(name: "numbers"))
      #expect(source.layout().hasPrefix("numbers"))
    }
  }
}
