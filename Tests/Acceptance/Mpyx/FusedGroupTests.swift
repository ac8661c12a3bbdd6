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
