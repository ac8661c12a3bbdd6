import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Counts how often each item is begun, and refuses some.
private struct Begins: StatelessWorker {
  let counts: Lock<[Int: Int]>
  var refused = 0

  init(_ counts: Lock<[Int: Int]>, refusing refused: Int = 0) {
    self.counts = counts
    self.refused = refused
  }

  func process(_ item: Int) throws -> Int {
    counts.withLock { $0[item, default: 0] += 1 }
    if refused > 0, item % refused == 0 { throw Refused(item: item) }
    return item
  }
}

/// Which item it is, by the worker's context.
private struct Indexed: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { WorkerContext.current!.index == item ? item : -1 }
}

/// Stages in a row of which each leaves items out, makes others of them, or fails for some, and what they make of an item by hand.
private struct ElasticChain {
  var pipeline = Pipeline<Int, Int> { AddX(amount: 0) }
  /// Of the item at a place of the input: what comes out, or at which stage it fails.
  var made: @Sendable (Int, Int) -> [String] = { _, _ in [] }
  var text = ""

  init(_ random: inout SimulatedRandom) {
    var steps: [@Sendable (Int) throws -> [Int]] = []
    for _ in 0..<Int.random(in: 1...5, using: &random) {
      let (modulus, bad) = (Int.random(in: 2...5, using: &random), Int.random(in: 7...90, using: &random))
      let fails = Bool.random(using: &random)
      let check: @Sendable (Int) throws -> Void = { if fails, $0 % bad == bad - 1 { throw Refused(item: $0) } }
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let step: @Sendable (Int) throws -> Int = {
          try check($0)
          return $0 &* 3 &+ 1
        }
        pipeline = pipeline.map { try step($0) }
        steps.append { [try step($0)] }
        text += " map"
      case 1:
        let isKept: @Sendable (Int) throws -> Bool = {
          try check($0)
          return $0 % modulus > 0
        }
        pipeline = pipeline.filter { try isKept($0) }
        steps.append { try isKept($0) ? [$0] : [] }
        text += " filter"
      case 2:
        let step: @Sendable (Int) throws -> Int? = {
          try check($0)
          return $0 % modulus > 0 ? $0 &+ 2 : nil
        }
        pipeline = pipeline.compactMap { try step($0) }
        steps.append { try step($0).map { [$0] } ?? [] }
        text += " compactMap"
      default:
        // A stage behind it begins anew: what fails there is one of several.
        continue
      }
    }
    if Bool.random(using: &random) {
      let step: @Sendable (Int) throws -> [Int] = {
        if $0 % 11 == 10 { throw Refused(item: $0) }
        return Array(repeating: $0, count: $0 % 4)
      }
      pipeline = pipeline.flatMap { try step($0) }
      steps.append(step)
      text += " flatMap"
    }
    let all = steps
    made = { place, item in
      var items = [item]
      for (stage, step) in all.enumerated() {
        // Behind the inlet and the first of them.
        do { items = try items.flatMap(step) } catch { return ["\(place) at \(stage + 2)"] }
      }
      return items.map { "\($0)" }
    }
  }
}

extension Checked {
  /// Stages that run together, where items go through them several at a time.
  @Suite(.timeLimit(.minutes(1))) struct FusedGroups {
    @Test(
      "an item that fails in the midst of others costs itself, at its stage, and none is begun twice",
      arguments: Backends.shared)
    func failures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (first, second) = (Lock<[Int: Int]>([:]), Lock<[Int: Int]>([:]))
        let pipeline = Pipeline { Items(1...5_000) }.map(with: Begins(first, refusing: 97)).map(with: AddX(amount: 0))
          .map(with: Begins(second, refusing: 89)).map { "\($0)" }
        var (index, wrong) = (0, 0)
        for try await outcome in pipeline.outcomes(on: pool) {
          index += 1
          switch outcome.result {
          case .success(let output): if output != "\(index)" { wrong += 1 }
          case .failure(let failure):
            let stage = index % 97 == 0 ? "Begins" : "Begins 2"
            if failure.stage?.name != stage || failure.index != index - 1 { wrong += 1 }
            if index % 97 != 0, index % 89 != 0 { wrong += 1 }
          }
        }
        #expect(index == 5_000 && wrong == 0)
        #expect(first.withLock { $0.values.allSatisfy { $0 == 1 } && $0.count == 5_000 })
        #expect(second.withLock { $0.values.allSatisfy { $0 == 1 } && $0.count == 5_000 - 5_000 / 97 })
      }
    }

    @Test("each item has its own index there", arguments: Backends.everything)
    func context(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline = Pipeline { Items(0..<3_000) }.map(with: AddX(amount: 0)).map(with: Indexed())
          .map(with: Indexed())
        let found = try await pipeline.list(on: pool)
        #expect(found == Array(0..<3_000))
      }
    }

    @Test(
      "each item has its own index behind others that were left out", arguments: Backends.everything.able(.runsClosures)
    )
    func contextBehindFilters(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let some: Pipeline<Nothing, Int> = Pipeline { Items(0..<3_000) }.map(with: AddX(amount: 0))
          .filter { $0 % 3 > 0 }.map(with: Indexed())
          .filter { WorkerContext.current!.index == $0 && $0 % 5 > 0 }.map(with: Indexed())
        let pipeline: Pipeline<Nothing, Int> = some.flatMap { (item: Int) -> [Int] in
          WorkerContext.current!.index == item && item % 7 > 0 ? [item, item] : []
        }
        let found = try await pipeline.list(on: pool)
        var expected: [Int] = []
        for item in 0..<3_000 where item % 3 > 0 && item % 5 > 0 && item % 7 > 0 { expected += [item, item] }
        #expect(found == expected)
      }
    }

    @Test(
      "stages that leave items out, make several or fail give what is made by hand, each item in its place",
      arguments: Backends.everything.able(.runsClosures))
    func byHand(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for seed: UInt64 in 0..<(backend.kind.abilities.contains(.sharesMemory) ? 25 : 3) {
          var random = SimulatedRandom(seed: seed)
          let chain = ElasticChain(&random)
          let count = Int.random(in: 1...3_000, using: &random)
          var found: [String] = []
          for try await outcome in chain.pipeline.outcomes(of: 0..<count, on: pool) {
            switch outcome.result {
            case .success(let item): found.append("\(item)")
            case .failure(let failure): found.append("\(failure.index) at \(failure.stage!.position)")
            }
          }
          var expected: [String] = []
          for item in 0..<count { expected += chain.made(item, item) }
          #expect(found == expected, "seed \(seed): \(chain.text)")
        }
      }
    }

    @Test("an item may come to any number of others, and all of them are let go of", arguments: Backends.shared)
    func many(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (born, dead) = (CommonCounter(), CommonCounter())
        let some: Pipeline<Nothing, Held> = Pipeline { Items(1...600) }.map { Held($0, born, dead) }
          .filter { $0.number % 2 == 0 }.compactMap { $0.number % 3 == 0 ? $0 : nil }
        let pipeline: Pipeline<Nothing, Held> = some.flatMap { (held: Held) -> [Held] in
          if held.number == 300 { throw Refused(item: held.number) }
          return Array(repeating: held, count: held.number == 60 ? 50_000 : held.number % 4)
        }
        var (sum, failed) = (0, 0)
        for try await outcome in pipeline.outcomes(on: pool) {
          switch outcome.result {
          case .success(let held): sum += held.number
          case .failure(let failure): failed += failure.index == 299 ? 1 : 2
          }
        }
        var expected = 0
        for number in stride(from: 6, through: 600, by: 6) where number != 300 {
          expected += number * (number == 60 ? 50_000 : number % 4)
        }
        #expect(sum == expected && failed == 1)
        while born.value != dead.value { await Task.yield() }
      }
    }

    @Test("what others take over of a chunk is begun once, however fast it goes", arguments: Backends.shared)
    func shared(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let counts = Lock<[Int: Int]>([:])
        let pipeline = Pipeline { Items(0..<20_000) }.map(with: Begins(counts)).map { (item: Int) in
          // A slow one among many that are not: what is behind it goes to others.
          if item % 3_000 == 700 { for _ in 0..<20_000 { _ = Meta.current.isEmpty } }
          return item
        }
        let found = try await pipeline.list(on: pool)
        #expect(found == Array(0..<20_000))
        #expect(counts.withLock { $0.values.allSatisfy { $0 == 1 } && $0.count == 20_000 })
      }
    }

    @Test("what was made of items that nobody wants any more is let go of", arguments: Backends.shared)
    func letGo(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let (born, dead) = (CommonCounter(), CommonCounter())
        for _ in 0..<20 {
          let pipeline = Pipeline { Items(1...4_000) }.map { Held($0, born, dead) }.map { (held: Held) in
            if held.number == 1_500 { throw Refused(item: held.number) }
            return held
          }.map { $0 }
          await #expect(throws: ItemFailure.self) { try await pipeline.run(on: pool) }
          await #expect(throws: ItemFailure.self) {
            try await pipeline.filter { $0.number % 3 > 0 }.flatMap { [$0, $0] }.run(on: pool)
          }
        }
        // Whoever had the last of them lets go of it soon.
        while born.value != dead.value { await Task.yield() }
      }
    }
  }
}

private final class Held: Sendable {
  let number: Int
  private let dead: CommonCounter

  init(_ number: Int, _ born: CommonCounter, _ dead: CommonCounter) {
    (self.number, self.dead) = (number, dead)
    born.increment()
  }

  deinit { dead.increment() }
}
