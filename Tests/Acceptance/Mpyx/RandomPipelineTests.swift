import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct Scaled: StatelessWorker, Codable {
  var factor: Int
  var amount: Int
  func process(_ item: Int) -> Int { item &* factor &+ amount }
}

/// A pipeline of groups in groups, and what it makes of an item if that is done by hand: nil stands where something was left out.
private struct RandomPipeline {
  var pipeline: Pipeline<Int, Int>
  var made: @Sendable (Int) -> [Int?]
  /// How many it makes, with those that are left out.
  var count: Int
  var text: String

  init(depth: Int, _ random: inout SimulatedRandom) {
    switch depth == 0 ? Int.random(in: 0..<3, using: &random) : Int.random(in: 2...9, using: &random) {
    case 0:
      let worker = Scaled(factor: Int.random(in: 1...3, using: &random), amount: Int.random(in: 0..<10, using: &random))
      self.init(Pipeline { worker }, "times", 1) { [worker.process($0)] }
    case 1:
      let modulus = Int.random(in: 2...4, using: &random)
      self.init(Pipeline { Filter { (item: Int) in item % modulus != 0 } }, "filter", 1) {
        [$0 % modulus != 0 ? $0 : nil]
      }
    case 2: self.init(Pipeline { Tap("Look") { (_: Int) in } }, "look", 1) { [$0] }
    case 3, 4:
      let (first, second) = (Self(depth: depth - 1, &random), Self(depth: depth - 1, &random))
      self.init(
        first.pipeline.through(second.pipeline), "(\(first.text) | \(second.text))", first.count * second.count
      ) { item in
        first.made(item).flatMap { $0.map(second.made) ?? Array(repeating: nil, count: second.count) }
      }
    case 5:
      let (first, second) = (Self(depth: depth - 1, &random), Self(depth: depth - 1, &random))
      let (one, other) = (first.pipeline, second.pipeline)
      let both = Pipeline {
        Broadcast {
          one; other
        }
      }
      self.init(both, "broadcast(\(first.text), \(second.text))", first.count + second.count) {
        first.made($0) + second.made($0)
      }
    case 6:
      let (first, second) = (Self(depth: depth - 1, &random), Self(depth: depth - 1, &random))
      guard first.count == second.count else {
        self = first
        return
      }
      let (one, other) = (first.pipeline, second.pipeline)
      let rows = Pipeline {
        Zip {
          one; other
        }
      }.map { $0.0 &- $0.1 }
      self.init(rows, "zip(\(first.text), \(second.text))", first.count) { item in
        zip(first.made(item), second.made(item)).map { one, other in one.flatMap { one in other.map { one &- $0 } } }
      }
    case 7:
      let inner = Self(depth: depth - 1, &random)
      self.init(
        inner.pipeline.grouped(Int.random(in: 1...3, using: &random)), "parallel(\(inner.text))", inner.count,
        inner.made)
    default:
      let inner = Self(depth: depth - 1, &random)
      let branch = inner.pipeline
      let any =
        Bool.random(using: &random)
        ? Pipeline {
          AnyOf {
            branch; branch
          }
        }
        : Pipeline {
          AnyOf {
            branch; branch; branch
          }
        }
      self.init(any, "anyOf(\(inner.text))", inner.count, inner.made)
    }
  }

  private init(
    _ pipeline: Pipeline<Int, Int>, _ text: String, _ count: Int, _ made: @escaping @Sendable (Int) -> [Int?]
  ) {
    (self.pipeline, self.text, self.count, self.made) = (pipeline, text, count, made)
  }
}

extension Pipeline {
  fileprivate func grouped(_ width: Int) -> Pipeline { Parallel(width) { self } }
}

extension Checked {
  @Suite(.timeLimit(.minutes(2))) struct RandomPipelines {
    @Test("groups in groups give what is made by hand, in its order", arguments: Backends.all)
    func byHand(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for seed: UInt64 in 0..<(backend.kind.abilities.contains(.sharesMemory) ? 40 : 8) {
          var random = SimulatedRandom(seed: seed)
          let each = RandomPipeline(depth: Int.random(in: 2...4, using: &random), &random)
          guard each.count <= 12 else { continue }
          let expected = (0..<60).flatMap(each.made).compactMap { $0 }
          let found = try await each.pipeline.list(of: 0..<60, on: pool)
          #expect(found == expected, "seed \(seed): \(each.text)")
        }
      }
    }
  }
}
