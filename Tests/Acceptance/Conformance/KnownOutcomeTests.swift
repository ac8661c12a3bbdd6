import Millrace
import Synchronization
import TestSupport
import Testing

private struct Unlucky: Error {}

/// What it makes can be told from what was known before.
private struct Hundreds: StatelessWorker {
  func process(_ item: Int) -> Int { item * 100 }
}

/// Keeps what it was told last.
private final class LastState: ProgressReporter {
  private let last = Mutex<ProgressState?>(nil)
  func report(_ state: ProgressState) { last.withLock { $0 = state } }
  var state: ProgressState? { last.withLock { $0 } }
}

extension Checked {
  @Suite("Outcomes that are known before their items come") struct KnownOutcomesTests {
    @Test(
      "are delivered in their place, and their items are not run", .timeLimit(.minutes(1)),
      arguments: Backends.Conforming.everything)
    func inPlace(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for items in [ItemSource(Array(0..<500)), ItemSource(lazily(Array(0..<500)))] {
          let known = KnownOutcomes<Int>()
          for index in 0..<500 where index % 5 < 2 { known.add(.success(-index), of: index) }
          let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(of: items, with: Hundreds(), knowing: known)
          var next = 0
          for try await outcome in outcomes {
            let isKnown = next % 5 < 2
            #expect(outcome.index == next && outcome.input == next)
            #expect(try outcome.output == (isKnown ? -next : next * 100))
            #expect((outcome.attempt == 0) == isKnown)
            next += 1
          }
          #expect(next == 500)
        }
      }
    }

    @Test(
      "may be all there are, or failures", .timeLimit(.minutes(1)),
      arguments: Backends.Conforming.all.each(with: [0, 1, 1_000]))
    func all(backend: WorkerPool.Backend, count: Int) async throws {
      try await withWorkerPool(backend) { pool in
        let known = KnownOutcomes<Int>()
        for index in 0..<count {
          let failure = ItemFailure(index: index, slot: 0, attempt: 3, cause: .threw(Unlucky()))
          known.add(index.isMultiple(of: 2) ? .success(index) : .failure(failure), of: index)
        }
        let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(
          of: ItemSource(Array(0..<count)), with: Hundreds(), knowing: known)
        var found: [Int] = []
        for try await outcome in outcomes { found.append((try? outcome.output) ?? -outcome.index) }
        #expect(found == (0..<count).map { $0.isMultiple(of: 2) ? $0 : -$0 })
      }
    }

    @Test(
      "what a consumer has had is neither run nor delivered", .timeLimit(.minutes(1)),
      arguments: Backends.Conforming.everything.each(with: [MapOptions.Order.input, .completion]))
    func delivered(backend: WorkerPool.Backend, order: MapOptions.Order) async throws {
      try await withWorkerPool(backend) { pool in
        // All of the first, every third of some, and none of the last; a bit each, the first of a byte its highest.
        let had = Set(0..<100).union((100..<400).filter { $0.isMultiple(of: 3) })
        var bits = [UInt8](repeating: 0, count: 52)
        for index in had { bits[index / 8] |= 0x80 >> UInt8(index % 8) }
        for count in [0, 50, 100, 500] {
          for items in [ItemSource(Array(0..<count)), ItemSource(lazily(Array(0..<count)))] {
            let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(
              of: items, with: Hundreds(), knowing: DeliveredItems(bits), order: order,
              options: MapOptions(maximumFailures: 0))
            var found: [Int] = []
            for try await outcome in outcomes {
              let output = try outcome.output
              #expect(outcome.index == outcome.input && output == outcome.index * 100)
              found.append(outcome.index)
            }
            if order == .completion { found.sort() }
            #expect(found == (0..<count).filter { !had.contains($0) })
          }
        }
      }
    }

    @Test(
      "U256: what was delivered before is finished in the progress, and in no rate, insight or slot of this run",
      .timeLimit(.minutes(1)), arguments: Backends.Conforming.all)
    func progress(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        pool.recordInsights()
        let kept = LastState()
        let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(
          of: ItemSource(Array(0..<8_010)), with: Hundreds(),
          knowing: DeliveredItems([UInt8](repeating: 255, count: 1_000)),
          options: MapOptions(progress: .custom(kept)))
        var count = 0
        for try await _ in outcomes { count += 1 }
        let last = try #require(kept.state)
        #expect(count == 10 && last.done == 8_010 && last.total == 8_010 && last.phase == .complete)
        let run = try #require(last.rate) * (last.elapsed / .seconds(1))
        #expect(abs(run - 10) < 0.01, "\(last)")
        #expect(pool.insights.total.items == 10)
      }
    }

    @Test(
      "whoever reads the input may say so item by item", .timeLimit(.minutes(1)), arguments: Backends.Conforming.all)
    func whileReading(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let known = KnownOutcomes<Int>()
        let items = (0..<1_000).lazy.map { index in
          if index.isMultiple(of: 3) { known.add(.success(-index), of: index) }
          return index
        }
        let outcomes: OutcomeSequence<Int, Int, [Int]> = pool.outcomes(
          of: ItemSource(items), with: Hundreds(), knowing: known)
        var found: [Int] = []
        for try await outcome in outcomes { found.append(try outcome.output) }
        #expect(found == (0..<1_000).map { $0.isMultiple(of: 3) ? -$0 : $0 * 100 })
      }
    }
  }
}
