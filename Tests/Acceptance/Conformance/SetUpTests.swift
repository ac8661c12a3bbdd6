import Millrace
import Testing

extension Checked.EveryPlace {
  /// Set-up and tear-down: how often, what they hand back, what their errors become.
  struct SetUps {
    /// Counts its set-ups; hands back the sum of its items. No item is done before so many workers were set up: else
    /// one may have done them all before the others are there, which then are not set up any more.
    struct Counted: Worker, Codable {
      var tally: Tally
      var factor = 1
      var awaits = 0
      func setUp(_ context: WorkerContext) -> Int {
        tally.add()
        return 0
      }
      func process(_ item: Int, state: inout Int) async -> Int {
        while tally.count < awaits { await Task.yield() }
        state += item
        return item * factor
      }
      func tearDown(_ state: Int) -> Int { state }
    }

    @Test("M7 M8 one set-up and one exit value a worker", arguments: Place.allCases, [1, 3])
    func oncePerWorker(place: Place, workers: Int) async throws {
      try await Tally.with { tally in
        let worker = Counted(tally: tally, awaits: place.width(workers))
        try await withWorkerPool(place.backend(workers)) { pool async throws in
          #expect(try await pool.map(0..<10, with: worker) == Array(0..<10))
          let exits = try await pool.tearDown(worker)
          #expect(exits.map(\.slot) == Array(0..<place.width(workers)))
          #expect(try exits.reduce(0) { $0 + (try $1.result.get()) } == 45)
          #expect(tally.count == place.width(workers))
        }
      }
    }

    @Test("M7 M8 a lifespan of one item", arguments: Place.allCases, [1, 3])
    func lifespan(place: Place, workers: Int) async throws {
      try await Tally.with { tally in
        try await withWorkerPool(place.backend(workers)) { pool async throws in
          let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 1))
          #expect(try await pool.map(0..<10, with: Counted(tally: tally), options: options) == Array(0..<10))
          let exits = try await pool.tearDown(Counted(tally: tally))
          #expect((10...10 + workers).contains(tally.count))
          #expect(exits.count == tally.count)
          #expect(try exits.reduce(0) { $0 + (try $1.result.get()) } == 45)
        }
      }
    }

    @Test("M8 a lifespan of two items", arguments: Place.allCases)
    func lifespanOfTwo(place: Place) async throws {
      try await Tally.with { tally in
        try await withWorkerPool(place.backend(2)) { pool async throws in
          let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 2))
          #expect(try await pool.map(0..<10, with: Counted(tally: tally), options: options) == Array(0..<10))
          let sums = try await pool.tearDown(Counted(tally: tally)).map { try $0.result.get() }
          #expect((5...5 + 2 * 2).contains(sums.count))
          #expect(sums.reduce(0, +) == 45)
        }
      }
    }

    struct FailingSetUp: Worker {
      func setUp(_ context: WorkerContext) throws { throw Refused(item: -1) }
      func process(_ item: Int, state: inout Void) -> Int { item }
    }

    @Test("M7 a failing set-up is the map's error", arguments: Place.allCases)
    func failingSetUp(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let inMap = await error { _ = try await pool.map(0..<10, with: FailingSetUp()) } as? WorkerPoolError
        #expect(inMap?.kind == .setUpFailed)
        #expect(inMap?.underlying as? Refused == Refused(item: -1))
        let inApply = await error { _ = try await pool.run(1, with: FailingSetUp()) } as? WorkerPoolError
        #expect(inApply?.kind == .setUpFailed)
        #expect(inApply?.underlying as? Refused == Refused(item: -1))
        #expect(try await pool.map(data, with: Square()) == squares)
      }
    }

    struct LargeExit: Worker {
      func setUp(_ context: WorkerContext) -> Int { context.slot }
      func process(_ item: Int, state: inout Int) -> Int { item }
      func tearDown(_ state: Int) -> [UInt8] { [UInt8](repeating: UInt8(state), count: 10 << 20) }
    }

    @Test("M8 exit values of 10 MB", arguments: Place.allCases)
    func largeExits(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        #expect(try await pool.map(0..<10, with: LargeExit()) == Array(0..<10))
        let exits = try await pool.tearDown(LargeExit())
        #expect((1...place.width(2)).contains(exits.count))
        for exit in exits {
          let value = try exit.result.get()
          #expect(value.count == 10 << 20)
          #expect(value.last == UInt8(exit.slot))
        }
      }
    }

    struct FailingTearDown: Worker {
      func process(_ item: Int, state: inout Void) -> Int { item }
      func tearDown(_ state: Void) throws -> Int { throw Refused(item: -2) }
    }

    @Test("M8 a failing tear-down", arguments: Place.allCases)
    func failingTearDown(place: Place) async throws {
      try await withWorkerPool(place.backend(2), logger: silent) { pool async throws in
        #expect(try await pool.map(0..<10, with: FailingTearDown()) == Array(0..<10))
        let exits = try await pool.tearDown(FailingTearDown())
        #expect((1...place.width(2)).contains(exits.count))
        for exit in exits { #expect(throws: Refused(item: -2)) { try exit.result.get() } }
        #expect(try await pool.map(data, with: Square()) == squares)
      }
    }

    @Test("M8 no exit values", arguments: Place.allCases)
    func noExits(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        #expect(try await pool.tearDown(Square()).isEmpty, "it was never used")
        #expect(try await pool.map(data, with: Square()) == squares)
        #expect(try await !pool.tearDown(Square()).isEmpty, "each hands back ()")
        #expect(try await pool.tearDown(Square()).isEmpty, "it was torn down")
      }
    }

    @Test("M7 every worker is set up, whoever gets the items", arguments: Place.allCases, [1, 3])
    func barrier(place: Place, workers: Int) async throws {
      try await Tally.with { tally in
        try await withWorkerPool(place.backend(workers)) { pool async throws in
          let width = place.width(workers)
          #expect(try await pool.map(0..<1, with: Counted(tally: tally, awaits: width)) == [0])
          #expect(tally.count == width)
        }
      }
    }

    @Test("M9 workers that stay, and that do not", arguments: Place.allCases)
    func keepAlive(place: Place) async throws {
      let width = place.width(2)
      try await Tally.with { kept in
        try await Tally.with { fresh in
          try await withWorkerPool(place.backend(2)) { pool async throws in
            for round in 1...4 {
              let options = MapOptions(keepsWorkers: false)
              _ = try await pool.map(0..<10, with: Counted(tally: kept, awaits: width))
              _ = try await pool.map(0..<10, with: Counted(tally: fresh, awaits: round * width), options: options)
              #expect(kept.count == width)
              #expect(fresh.count == round * width)
            }
          }
        }
      }
    }

    @Test("M9 another function, other settings, between maps", arguments: Place.allCases)
    func changes(place: Place) async throws {
      try await Tally.with { tally in
        try await withWorkerPool(place.backend(2)) { pool async throws in
          #expect(try await pool.map(0..<10, with: Counted(tally: tally)) == Array(0..<10))
          #expect(try await pool.map(0..<10, with: Counted(tally: tally, factor: 2)) == (0..<10).map { $0 * 2 })
          #expect(try await pool.map(data, with: Square(), options: MapOptions(chunking: .size(1))) == squares)
          #expect(try await pool.map(0..<10) { $0 + 1 } == Array(1...10))
          let options = MapOptions(
            chunking: .size(1), timeouts: MapOptions.Timeouts(item: .seconds(50)), dispatch: .roundRobin)
          #expect(try await pool.map(0..<10, with: Counted(tally: tally), options: options) == Array(0..<10))
          _ = try await pool.tearDown(Counted(tally: tally))
          _ = try await pool.tearDown(Counted(tally: tally, factor: 2))
          #expect((2...2 * place.width(2)).contains(tally.count))
        }
      }
    }
  }
}
