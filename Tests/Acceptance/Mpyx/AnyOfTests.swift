import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct Square: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item &* item }
}

private struct Same: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item }
}

/// Takes longer for some items than for others.
private struct Uneven: StatelessWorker, Codable {
  func process(_ item: Int) -> Int {
    var rest = item % 7 * 4_000
    while rest > 0 { rest -= 1 }
    return item
  }
}

private struct MarkedNumbers: Source {
  static var setsMeta: Bool { true }
  var count: Int
  func produce(_ out: Outlet<Int>) async throws {
    for number in 0..<count { try await out.put(number) { $0[Mark.self] = number } }
  }
}

private func even() -> Filter<Int> { Filter { $0 % 2 == 0 } }

private func texts(_ rows: [(Int, Int)]) -> [String] { rows.map { "\($0.0) \($0.1)" } }

extension Checked {
  /// Branches of which each item goes to one.
  @Suite(.timeLimit(.minutes(1))) struct AnyOfRules {
    private let squares = texts((0..<100).map { ($0 * $0, $0) })

    @Test(
      "a branch that begins with a fork gets the whole of each of its items",
      arguments: Backends.all.able(.runsClosures))
    func forks(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let rows = Pipeline<Int, (Int, Int)> {
          AnyOf {
            Zip {
              Square(); Same()
            }
            Zip {
              Square(); Same()
            }
          }
        }
        let found1 = try await rows.list(of: 0..<100, on: pool)
        #expect(texts(found1) == squares)
        let found2 = try await rows.list(of: 0..<10, on: pool)
        #expect(texts(found2) == Array(squares.prefix(10)))
        let both = Pipeline<Int, Int> {
          AnyOf {
            Broadcast {
              Square(); Same()
            }
            By(2, Same())
          }
        }
        let found = try await both.list(of: 0..<100, on: pool)
        #expect(found.count == 200)
        for item in 0..<100 {
          #expect([[item * item, item], [item, item]].contains(Array(found[2 * item...2 * item + 1])))
        }
        let tees = Pipeline<Int, Int> {
          AnyOf {
            Pipeline<Int, Int> {
              Tee { Same() }; Same()
            }
            Pipeline<Int, Int> {
              Tee { Same() }; Same()
            }
          }
        }
        let found3 = try await tees.list(of: 0..<100, on: pool)
        #expect(found3 == Array(0..<100))
        let graph = Pipeline<Int, (Int, Int)>.graph { numbers in zip(numbers.map { $0 * $0 }, numbers) }
        let graphs = Pipeline<Int, (Int, Int)> {
          AnyOf {
            graph; graph
          }
        }
        let found4 = try await graphs.list(of: 0..<100, on: pool)
        #expect(texts(found4) == squares)
      }
    }

    @Test("branches that are groups, nested, empty or filters", arguments: Backends.all.able(.runsClosures))
    func branches(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let rows = Pipeline<Int, (Int, Int)>.graph { numbers in zip(numbers.map { $0 * $0 }, numbers) }
        let nested = Pipeline<Int, (Int, Int)> {
          AnyOf {
            AnyOf {
              rows; rows;
              Zip {
                As(2, Square()); Same()
              }
            }
            Parallel(2) { rows }
            Serial {
              Zip {
                Square(); Same()
              }
            }
          }
        }
        let found5 = try await nested.list(of: 0..<100, on: pool)
        #expect(texts(found5) == squares)
        let empty = Pipeline<Int, Int>.graph { $0 }
        let bare = Pipeline<Int, Int> {
          AnyOf {
            empty
            empty
            Pipeline<Int, Int> { Same() }
          }
        }
        let found6 = try await bare.list(of: 0..<100, on: pool)
        #expect(found6 == Array(0..<100))
        let filters = Pipeline<Int, Int> {
          AnyOf {
            Pipeline<Int, Int> { even() }
            Pipeline<Int, Int> { even() }
          }
        }
        let found7 = try await filters.list(of: 0..<100, on: pool)
        #expect(found7 == Array(stride(from: 0, to: 100, by: 2)))
        let one = Pipeline<Int, (Int, Int)> { AnyOf { rows } }
        let found8 = try await one.list(of: 0..<100, on: pool)
        #expect(texts(found8) == squares)
      }
    }

    @Test("outputs and outcomes come in the order of the input", arguments: Backends.all)
    func order(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline<Int, Int> {
          AnyOf {
            Same(); Uneven();
            Pipeline<Int, Int> {
              Uneven(); Tap("Look") { (_: Int) in }
            }
          }
        }
        let found9 = try await pipeline.list(of: 0..<300, on: pool)
        #expect(found9 == Array(0..<300))
        let unordered = try await pipeline.list(of: 0..<300, order: .completion, on: pool)
        #expect(unordered.sorted() == Array(0..<300))
        let failing = Pipeline<Int, Int> {
          AnyOf {
            RefusesHundreds(); RefusesHundreds()
          }
        }
        var lines: [String] = []
        for try await outcome in failing.outcomes(of: 0..<300, on: pool) {
          switch outcome.result {
          case .success(let item): lines.append("\(item)")
          case .failure(let failure): lines.append("\(failure.index) failed")
          }
        }
        #expect(lines == (0..<300).map { $0 % 100 == 0 ? "\($0) failed" : "\($0)" })
      }
    }

    @Test("rows of a zip of which a branch is an AnyOf do not shift", arguments: Backends.all.able(.runsClosures))
    func rows(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let built = Pipeline<Int, (Int, Int)> {
          Zip {
            AnyOf {
              Square(); Square()
            }
            Map { (item: Int) in item * item }
          }
        }
        let found10 = try await built.list(of: 0..<300, on: pool)
        #expect(found10.map { $0.0 - $0.1 } == Array(repeating: 0, count: 300))
        let left = Pipeline<Int, (Int, Int)>.graph { numbers in
          let some = numbers.through(
            Pipeline<Int, Int> {
              AnyOf {
                Pipeline<Int, Int> {
                  Uneven(); even()
                }
                Pipeline<Int, Int> {
                  even(); Same()
                }
              }
            })
          return zip(some, numbers.filter { $0 % 3 == 0 })
        }
        let sixes = stride(from: 0, to: 300, by: 6).map { "\($0) \($0)" }
        let found11 = try await left.list(of: 0..<300, on: pool)
        #expect(texts(found11) == sixes)
        let marked: Pipeline<Nothing, Bool> = Pipeline {
          MarkedNumbers(count: 300)
          Zip {
            AnyOf {
              Same(); Uneven()
            }
            Same()
          }
          Map { (row: (Int, Int)) in row.0 == row.1 && Meta.current[Mark.self] == row.0 }
        }
        let found12 = try await marked.list(on: pool)
        #expect(found12 == Array(repeating: true, count: 300))
      }
    }

    @Test(
      "a branch of which nobody knows what it makes of an item loses none", arguments: Backends.all.able(.runsClosures))
    func unknown(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let twice = Pipeline<Int, Int> { FlatMap { (item: Int) in [item, item] } }
        let pipeline = Pipeline<Int, Int> {
          AnyOf {
            twice; twice
          }
        }
        let found = try await pipeline.list(of: 0..<100, on: pool)
        #expect(found.sorted() == (0..<100).flatMap { [$0, $0] })
      }
    }
  }
}

private struct RefusesHundreds: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int {
    if item % 100 == 0 { throw Refused(item: item) }
    return item
  }
}
