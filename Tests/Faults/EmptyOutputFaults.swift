import Foundation
import Millrace
import MillraceTesting
import TestSupport
import Testing

struct Hollow: Sendable {}
enum Lone: Sendable { case only }

/// A worker whose outputs have no size, one of which ends as the matrix says.
struct EmptyMatrixWorker<Output: Sendable>: Worker, Codable {
  var place: Place
  var ending: Ending

  func setUp(_ context: WorkerContext) throws { if place == .setUp { try ending.come() } }

  func process(_ item: Sensitive, state: inout Void) throws -> Output {
    if item.number == MatrixWorker.unlucky, place == .run { try ending.come() }
    return unsafeBitCast((), to: Output.self)
  }

  func tearDown(_ state: Void) throws { if place == .tearDown { try ending.come() } }
}

/// Notes each item and its attempt; has nothing to say of it.
private struct Silent: Worker, Codable {
  var deeds: [Int: Accident.Deed]
  var attempts = Int.max
  var ledger: LineLedger?

  func setUp(_ context: WorkerContext) -> WorkerContext { context }

  func process(_ item: Int, state context: inout WorkerContext) throws {
    ledger?.note("\(item) \(context.attempt)")
    if let deed = deeds[item], context.attempt <= attempts { try deed.perform() }
  }
}

extension Faults {
  /// U227: outputs that take no bytes are counted all the same, when their worker dies.
  @Suite(.forks) struct EmptyOutputs {
    static let quiet = WorkerPool.ProcessOptions(environment: ["SWIFT_BACKTRACE": "enable=no"])

    /// Who failed, each of the items with its one outcome.
    private func failures<W: Worker>(
      _ pool: WorkerPool, _ items: some Collection<W.Input> & Sendable, _ worker: W,
      order: MapOptions.Order = .input, _ options: MapOptions = MapOptions()
    ) async throws -> [Int: ItemFailure] {
      var seen: Set<Int> = []
      var failed: [Int: ItemFailure] = [:]
      for try await outcome in pool.outcomes(of: items, with: worker, order: order, options: options) {
        if order == .input { #expect(outcome.index == seen.count) }
        #expect(seen.insert(outcome.index).inserted)
        if case .failure(let failure) = outcome.result { failed[outcome.index] = failure }
      }
      #expect(seen.count == items.count)
      return failed
    }

    @Test(
      "U227: the crash matrix, of outputs without a size", arguments: [Place.decodeItem, .run, .tearDown],
      Ending.allCases)
    func matrix(place: Place, ending: Ending) async throws {
      try await withWorkerPool(.processes(2, Self.quiet)) { pool async throws in
        try await check(pool, EmptyMatrixWorker<Void>(place: place, ending: ending))
        try await check(pool, EmptyMatrixWorker<Hollow>(place: place, ending: ending))
        try await check(pool, EmptyMatrixWorker<Lone>(place: place, ending: ending))
        try await check(pool, EmptyMatrixWorker<(Void, Hollow)>(place: place, ending: ending))
        // Aligned as what it has none of.
        try await check(pool, EmptyMatrixWorker<InlineArray<0, SIMD4<Double>>>(place: place, ending: ending))
        try await expectUsable(pool)
      }
    }

    private func check<Output>(_ pool: WorkerPool, _ worker: EmptyMatrixWorker<Output>) async throws {
      #expect(MemoryLayout<Output>.size == 0)
      let items = (0..<128).map { number in
        let isUnlucky = number == MatrixWorker.unlucky && worker.place == .decodeItem
        return Sensitive(number: number, ending: isUnlucky ? worker.ending : nil)
      }
      for (chunk, order) in [(1, MapOptions.Order.completion), (64, .input), (64, .completion)] {
        let options = MapOptions(chunking: .size(chunk), keepsWorkers: false)
        let failed = try await failures(pool, items, worker, order: order, options)
        let expected = worker.place == .tearDown ? [] : [MatrixWorker.unlucky]
        #expect(Array(failed.keys) == expected, "\(Output.self) in chunks of \(chunk): \(failed.keys.sorted())")
      }
    }

    @Test(
      "U227: the item that kills its worker fails alone, and none before it runs twice",
      arguments: [
        WorkerPool.Backend.processes(1), .processes(2), Backends.spawning, Backends.forking, Backends.crowded,
      ])
    func alone(backend: WorkerPool.Backend) async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(backend) { pool async throws in
          let options = MapOptions(chunking: .size(100))
          let worker = Silent(deeds: [50: .killItself, 730: .exitAtOnce], ledger: ledger)
          for order in [MapOptions.Order.input, .completion] {
            let failed = try await failures(pool, 0..<1_000, worker, order: order, options)
            #expect(failed.keys.sorted() == [50, 730])
          }
        }
        let isShared = "\(backend)" == "\(Backends.crowded)"
        // What runs beside a crash in the same process runs again.
        let runs = try ledger.lines.count
        #expect(isShared ? runs >= 2_000 : runs == 2_000)
      }
    }

    @Test("U227: in small chunks too, which run one behind the other", arguments: [1, 2, 3, 7])
    func small(size: Int) async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let worker = Silent(deeds: [50: .killItself, 51: .exitAtOnce, 1_730: .killItself])
        let failed = try await failures(pool, 0..<2_000, worker, MapOptions(chunking: .size(size)))
        #expect(failed.keys.sorted() == [50, 51, 1_730])
      }
    }

    @Test("U227: an item that is tried again is the only one that is")
    func retried() async throws {
      try await LineLedger.with { ledger in
        try await withWorkerPool(.processes(1)) { pool async throws in
          let worker = Silent(deeds: [30: .exitAtOnce], attempts: 1, ledger: ledger)
          let options = MapOptions(chunking: .size(64), retry: .upTo(2, maximumCrashes: 2))
          #expect(try await failures(pool, 0..<128, worker, options).isEmpty)
        }
        let lines = try ledger.lines
        #expect(lines.count == 129 && lines.filter { $0.hasSuffix(" 2") } == ["30 2"])
      }
    }

    @Test("U227: an item that will not end is found, and ends the map", arguments: [10, 100])
    func tooSlow(size: Int) async throws {
      try await withWorkerPool(.processes(1)) { pool async throws in
        let options = MapOptions(chunking: .size(size), timeouts: MapOptions.Timeouts(item: .milliseconds(300)))
        let failed = try await failures(pool, 0..<100, Silent(deeds: [5: .hang]), options)
        guard failed.count == 1, case .timedOut? = failed[5]?.cause else {
          Issue.record("\(failed)")
          return
        }
      }
    }

    @Test("U227: closures, and forEach", arguments: [WorkerPool.Backend.processes(2), Backends.forking])
    func closures(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        var failed: [Int] = []
        for try await outcome in pool.outcomes(
          of: 0..<2_000,
          { (item: Int) -> Void in
            if item == 1_500 { kill(getpid(), SIGKILL) }
          })
        {
          if case .failure = outcome.result { failed.append(outcome.index) }
        }
        #expect(failed == [1_500])
        let failure = await #expect(throws: ItemFailure.self) {
          try await pool.forEach(0..<3_000) { item in if item == 2_500 { kill(getpid(), SIGKILL) } }
        }
        #expect(failure?.index == 2_500)
      }
    }

    @Test(
      "U227: items without a size, and what they come to",
      arguments: [WorkerPool.Backend.processes(2), Backends.forking])
    func items(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        for size in [3, 100] {
          var failed: [Int] = []
          let items: [Void] = [Void](repeating: (), count: 1_000)
          let outcomes = pool.outcomes(of: items, options: MapOptions(chunking: .size(size))) { (_: Void) -> Void in
            if WorkerContext.current?.index == 550 { kill(getpid(), SIGKILL) }
          }
          for try await outcome in outcomes { if case .failure = outcome.result { failed.append(outcome.index) } }
          #expect(failed == [550])
        }
      }
    }

    @Test("U227: a stage of a pipeline, and a task of a strided map")
    func stages() async throws {
      try await withWorkerPool(.processes(2)) { pool async throws in
        let pipeline = Pipeline<Int, Void> { Map { (item: Int) -> Void in if item == 150 { kill(getpid(), SIGKILL) } } }
        var failed: [Int] = []
        var count = 0
        for try await outcome in pipeline.outcomes(of: 0..<300, on: pool) {
          count += 1
          if case .failure(let failure) = outcome.result { failed.append(failure.index) }
        }
        #expect(count == 300 && failed == [150])
        let loom = try StridedMap(on: pool, stride: 8)
        let task = try loom.add(0..<300) { (item: Int) -> Void in if item == 150 { kill(getpid(), SIGKILL) } }
        try loom.start()
        var broken: [Int] = []
        var next = 0
        while let result = try await task.nextResult() {
          if case .failure = result { broken.append(next) }
          next += 1
        }
        #expect(next == 300 && broken == [150])
      }
    }
  }
}
