import Millrace
import MillraceTesting
import TestSupport
import Testing

extension Checked {
  /// mpyx' own tests, and PaPy's forks and joins, by their numbers.
  @Suite(.timeLimit(.minutes(1))) struct PipelineCases {
    private let source = Items(1...5)

    @Test("X1, X19 items go through the stages in order", arguments: Backends.everything)
    func x1(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let seen = Passed<Int>()
        let plain = Pipeline { CountTo(limit: 5) }.stage(Tap("See") { seen.note($0) }).map(with: AddX(amount: 10))
        let found1 = try await plain.list(on: pool)
        #expect(found1 == [11, 12, 13, 14, 15])
        if pool.sharesMemory { #expect(seen.all == [1, 2, 3, 4, 5]) }
        let added: Pipeline<Nothing, Int> = Pipeline {
          source
          AddX(amount: 10)
          Print()
        }
        let found2 = try await added.list(on: pool)
        #expect(found2 == [11, 12, 13, 14, 15])
      }
    }

    @Test("X3 side by side: each item goes to one of them", arguments: Backends.all)
    func x3(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(1...100)
          AnyOf {
            AddX(amount: 1_000)
            AddX(amount: 2_000)
          }
        }
        let outputs = try await pipeline.list(on: pool)
        let (items, branches) = (outputs.map { $0 % 1_000 }, outputs.map { $0 / 1_000 })
        #expect(items.sorted() == Array(1...100) && Set(branches) == Set([1, 2]))
      }
    }

    @Test("X4 every item goes to each", arguments: Backends.all)
    func x4(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          source
          Broadcast {
            AddX(amount: 10)
            AddX(amount: 20)
          }
        }
        let found3 = try await pipeline.list(on: pool)
        #expect(found3 == [11, 21, 12, 22, 13, 23, 14, 24, 15, 25])
        let unordered = try await pipeline.list(order: .completion, on: pool)
        #expect(unordered.sorted() == [11, 12, 13, 14, 15, 21, 22, 23, 24, 25])
      }
    }

    @Test("X5 chains side by side", arguments: Backends.all)
    func x5(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          source
          AnyOf {
            Pipeline<Int, Int> {
              AddX(amount: 1_000)
              AddX(amount: 1_000)
            }
            Pipeline<Int, Int> {
              AddX(amount: 100)
              AddX(amount: 100)
            }
          }
        }
        let outputs = try await pipeline.list(on: pool)
        #expect(outputs.count == 5)
        #expect(outputs.allSatisfy { (2_001...2_005).contains($0) || (201...205).contains($0) })
      }
    }

    @Test("X7, X8, X13 closures, filters", arguments: Backends.all.able(.runsClosures))
    func x7(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { source }.map { $0 + 100 }.map { $0 - 50 }
        let found4 = try await pipeline.list(on: pool)
        #expect(found4 == [51, 52, 53, 54, 55])
        let found5 = try await Pipeline { source }.filter { $0 > 2 }.list(on: pool)
        #expect(found5 == [3, 4, 5])
        let found6 = try await Pipeline { source }.filter { $0 > 2 }.map { $0 * 2 }.list(on: pool)
        #expect(found6 == [6, 8, 10])
        let found7 = try await Pipeline { source }.filter { (_: Int) in false }.list(on: pool)
        #expect(found7 == [])
        var items: [Int] = []
        let added = Pipeline { source }.map { $0 + 5 }
        for try await item in added.outputs(on: pool) { items.append(item) }
        #expect(items == [6, 7, 8, 9, 10])
      }
    }

    @Test("X9 batches, and what is left at the end", arguments: Backends.everything.able(.runsClosures))
    func x9(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let found8 = try await Pipeline { source }.batch(2).list(on: pool)
        #expect(found8 == [[1, 2], [3, 4], [5]])
        let none = Pipeline { Items(0..<0) }
        let found9 = try await none.batch(2).list(on: pool)
        #expect(found9 == [])
        // Its tear-down's batch goes through what is behind it.
        let batches = Pipeline { Items(1...100) }.map(with: AddX(amount: 1)).batch(7)
        let sums = batches.map { (batch: [Int]) in batch.reduce(0, +) }.batch(100)
        let list = try await sums.list(on: pool)
        #expect(list.count == 1 && list[0].count == 15 && list[0].reduce(0, +) == 5_150)
      }
    }

    @Test("X10 several instances, in order or not", arguments: Backends.apart)
    func x10(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          source
          As(5, AddX(amount: 10))
        }
        let unordered = try await pipeline.list(order: .completion, on: pool)
        #expect(unordered.sorted() == [11, 12, 13, 14, 15])
        let found10 = try await pipeline.list(on: pool)
        #expect(found10 == [11, 12, 13, 14, 15])
      }
    }

    @Test("X11 instances of which each sees every item", arguments: Backends.all)
    func x11(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(1...2)
          By(5, AddX(amount: 10))
        }
        let found11 = try await pipeline.list(on: pool)
        #expect(found11 == [11, 11, 11, 11, 11, 12, 12, 12, 12, 12])
      }
    }

    @Test("X12 results of one item together", arguments: Backends.all)
    func x12(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, (Int, Int)> = Pipeline {
          source
          Zip {
            AddX(amount: 10)
            AddX(amount: 100)
          }
        }
        let rows = try await pipeline.list(on: pool).map { "\($0)" }
        #expect(rows == (1...5).map { "(\($0 + 10), \($0 + 100))" })
      }
    }

    @Test("X17 pipelines in pipelines, and broadcasts in broadcasts, in order", arguments: Backends.all)
    func x17(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Pipeline<Nothing, Int> { Items(1...2) }
          Broadcast {
            AddX(amount: 1_000)
            Pipeline {
              AddX(amount: 10)
              Broadcast {
                AddX(amount: 100)
                AddX(amount: 200)
              }
            }
          }
        }
        let found12 = try await pipeline.list(on: pool)
        #expect(found12 == [1_001, 111, 211, 1_002, 112, 212])
      }
    }

    @Test(
      "X18 an error in set-up, work or tear-down ends the run, and names stage and item", arguments: Backends.everything
    )
    func x18(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for place in FailsAt.Place.allCases {
          let pipeline = Pipeline { source }.map(with: AddX(amount: 0)).stage(FailsAt(place: place)).batch(2)
          let error = await #expect(throws: (any Error).self) { try await pipeline.list(on: pool) }
          switch place {
          case .process:
            let failure = error as? ItemFailure
            #expect(failure?.index == 2 && failure?.stage == ItemFailure.Stage(name: "FailsAt", position: 2))
            #expect(failure?.underlying as? Refused == Refused(item: 3))
          case .setUp, .tearDown:
            let problem = error as? PipelineError
            #expect(problem?.kind == (place == .setUp ? .setUpFailed : .tearDownFailed), "\(place): \(error as Any)")
            #expect(problem?.stage == ItemFailure.Stage(name: "FailsAt", position: 2))
            #expect(problem?.underlying as? Refused == Refused(item: place == .setUp ? -1 : -2))
          }
        }
      }
    }

    @Test("I17 a fork, and a join", arguments: Backends.all.able(.runsClosures))
    func i17(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let fork = Pipeline<String, String>.graph { words in
          let upper = words.map { $0.uppercased() }
          let left = upper.map { $0.replacing("E", with: "3") }
          let right = upper.map { $0.replacing("O", with: "0") }
          return zip(left, right).map { "\($0),\($1)" }
        }
        let found13 = try await fork.list(of: ["hello", "world"], on: pool)
        #expect(found13 == ["H3LLO,HELL0", "WORLD,W0RLD"])
        let tee = Pipeline<Int, (Int, Int)>.graph { numbers in zip(numbers.map { $0 * $0 }, numbers.map { $0 + $0 }) }
        let rows = try await tee.list(of: 1...6, on: pool).map { "\($0)" }
        #expect(rows == (1...6).map { "(\($0 * $0), \($0 + $0))" })
      }
    }
  }
}

extension WorkerPool {
  /// Whether what runs there sees the test's objects.
  var sharesMemory: Bool { kind.abilities.contains(.sharesMemory) }
}
