import Millrace
import MillraceTesting
import TestSupport
import Testing

private struct Scaled: StatelessWorker, Codable {
  var factor: Int
  var amount: Int
  func process(_ item: Int) -> Int { item &* factor &+ amount }
}

private struct Breaks: StatelessWorker, Codable {
  var modulus: Int
  func isBad(_ item: Int) -> Bool { (item % modulus + modulus) % modulus == modulus - 1 }
  func process(_ item: Int) throws -> Int {
    if isBad(item) { throw Refused(item: item) }
    return item
  }
}

private enum Made {
  case value(Int)
  case leftOut
  case failed

  func flatMap(_ body: (Int) -> Made) -> Made { if case .value(let item) = self { body(item) } else { self } }
}

/// A pipeline of groups in groups, and what it makes of an item if that is done by hand.
private struct RandomPipeline {
  var pipeline: Pipeline<Int, Int>
  var made: @Sendable (Int) -> [Made]
  /// How many it makes, with those that are left out.
  var count: Int
  var text: String

  init(depth: Int, fails: Bool, _ random: inout SimulatedRandom) {
    if fails, depth == 0, Int.random(in: 0..<4, using: &random) == 0 {
      let worker = Breaks(modulus: Int.random(in: 20...90, using: &random))
      self.init(Pipeline { worker }, "breaks", 1) { [worker.isBad($0) ? .failed : .value($0)] }
      return
    }
    switch depth == 0 ? Int.random(in: 0..<3, using: &random) : Int.random(in: 2...9, using: &random) {
    case 0:
      let worker = Scaled(factor: Int.random(in: 1...3, using: &random), amount: Int.random(in: 0..<10, using: &random))
      self.init(Pipeline { worker }, "times", 1) { [.value(worker.process($0))] }
    case 1:
      let modulus = Int.random(in: 2...4, using: &random)
      self.init(Pipeline { Filter { (item: Int) in item % modulus != 0 } }, "filter", 1) {
        [$0 % modulus != 0 ? .value($0) : .leftOut]
      }
    case 2: self.init(Pipeline { Tap("Look") { (_: Int) in } }, "look", 1) { [.value($0)] }
    case 3, 4:
      let (first, second) = (
        Self(depth: depth - 1, fails: fails, &random), Self(depth: depth - 1, fails: fails, &random)
      )
      self.init(
        first.pipeline.through(second.pipeline), "(\(first.text) | \(second.text))", first.count * second.count
      ) { item in
        first.made(item).flatMap { made in
          if case .value(let item) = made { second.made(item) } else { Array(repeating: made, count: second.count) }
        }
      }
    case 5:
      let (first, second) = (
        Self(depth: depth - 1, fails: fails, &random), Self(depth: depth - 1, fails: fails, &random)
      )
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
      let (first, second) = (
        Self(depth: depth - 1, fails: fails, &random), Self(depth: depth - 1, fails: fails, &random)
      )
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
        zip(first.made(item), second.made(item)).map { one, other in
          if case .failed = other { return .failed }
          return one.flatMap { one in other.flatMap { .value(one &- $0) } }
        }
      }
    case 7:
      let inner = Self(depth: depth - 1, fails: fails, &random)
      self.init(
        inner.pipeline.grouped(Int.random(in: 1...3, using: &random)), "parallel(\(inner.text))", inner.count,
        inner.made)
    default:
      let inner = Self(depth: depth - 1, fails: fails, &random)
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
    _ pipeline: Pipeline<Int, Int>, _ text: String, _ count: Int, _ made: @escaping @Sendable (Int) -> [Made]
  ) {
    (self.pipeline, self.text, self.count, self.made) = (pipeline, text, count, made)
  }
}

extension Pipeline {
  fileprivate func grouped(_ width: Int) -> Pipeline { Parallel(width) { self } }
}

extension Checked {
  @Suite(.timeLimit(.minutes(2))) struct RandomPipelines {
    @Test("groups in groups give what is made by hand, in its order", arguments: Backends.all.able(.runsClosures))
    func byHand(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for seed: UInt64 in 0..<(backend.kind.abilities.contains(.sharesMemory) ? 40 : 8) {
          var random = SimulatedRandom(seed: seed)
          let each = RandomPipeline(depth: Int.random(in: 2...4, using: &random), fails: false, &random)
          guard each.count <= 12 else { continue }
          let expected = (0..<60).flatMap(each.made).compactMap { if case .value(let item) = $0 { item } else { nil } }
          let found = try await each.pipeline.list(of: 0..<60, on: pool)
          #expect(found == expected, "seed \(seed): \(each.text)")
        }
      }
    }

    @Test(
      "U131: where an item fails, all that is made by hand before it comes, and then the failure",
      arguments: Backends.all.able(.runsClosures))
    func byHandUpToAFailure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for seed: UInt64 in 0..<(backend.kind.abilities.contains(.sharesMemory) ? 30 : 5) {
          var random = SimulatedRandom(seed: seed)
          let each = RandomPipeline(depth: Int.random(in: 2...4, using: &random), fails: true, &random)
          guard each.count <= 12 else { continue }
          var (expected, fails): ([Int], Bool) = ([], false)
          for made in (0..<60).flatMap(each.made) {
            if case .failed = made { fails = true }
            if case .value(let item) = made, !fails { expected.append(item) }
          }
          var (found, error): ([Int], (any Error)?) = ([], nil)
          do {
            for try await item in each.pipeline.outputs(of: 0..<60, on: pool) { found.append(item) }
          } catch let thrown {
            error = thrown
          }
          #expect(found == expected && (error is ItemFailure) == fails, "seed \(seed): \(each.text), \(error as Any)")
        }
      }
    }
  }
}
