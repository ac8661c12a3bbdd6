import Millrace
import MillraceIPC
import Testing

extension Checked.EveryPlace {
  /// What workers keep, share and hand back.
  struct States {
    final class Shared: Sendable {
      let values = Array(0..<100)
      let sums: Lock<[Int: Int]> = Lock([:])
    }

    @Test("M5 worker numbers, and an object shared by all", arguments: Place.local)
    func sharedObject(place: Place) async throws {
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let shared = Shared()
        let identity = ObjectIdentifier(shared)
        let slots = try await pool.map(0..<100, options: MapOptions(chunking: .size(1))) { item in
          let context = WorkerContext.current!
          #expect(ObjectIdentifier(shared) == identity)
          shared.sums.withLock { $0[context.slot, default: 0] += shared.values[item] * shared.values[item] }
          return context.slot
        }
        #expect(slots.allSatisfy { (0..<pool.width).contains($0) })
        let sums = shared.sums.withLock { $0 }
        #expect(Set(sums.keys) == Set(slots))
        #expect(sums.values.reduce(0, +) == 328_350)
      }
    }

    @Test("M5 worker numbers, and an object that forked workers inherit", arguments: Place.processes)
    func inheritedObject(place: Place) async throws {
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let shared = Shared()
        let squares = try await pool.map(0..<100) { item in
          let context = WorkerContext.current!
          return [context.slot, shared.values[item] * shared.values[item]]
        }
        #expect(squares.allSatisfy { (0..<3).contains($0[0]) })
        #expect(squares.reduce(0) { $0 + $1[1] } == 328_350)
        #expect(shared.sums.withLock { $0.isEmpty })
      }
    }

    /// Sums in its state; says with each item which worker it is and how many it has had.
    struct Summing: Worker {
      struct State {
        var life: UInt64
        var slot: Int
        var count = 0
        var sum = 0
      }
      struct Report: Codable, Sendable {
        var life: UInt64
        var slot: Int
        var count: Int
      }
      func setUp(_ context: WorkerContext) -> State { State(life: .random(in: 0 ... .max), slot: context.slot) }
      func process(_ item: Int, state: inout State) -> Report {
        state.count += 1
        state.sum += item * item
        return Report(life: state.life, slot: state.slot, count: state.count)
      }
      func tearDown(_ state: State) -> [Int] { [state.count, state.sum] }
    }

    @Test("M6 counts kept by workers", arguments: Place.allCases, [0, 1, 150])
    func workerState(place: Place, items: Int) async throws {
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let reports = try await pool.map(0..<items, with: Summing(), options: MapOptions(chunking: .size(2)))
        let exits = try await pool.tearDown(Summing())
        let counts = try exits.map { try $0.result.get() }
        #expect(counts.reduce(0) { $0 + $1[0] } == items)
        #expect(counts.reduce(0) { $0 + $1[1] } == (0..<items).reduce(0) { $0 + $1 * $1 })
        // Each worker counted its own items, one by one, and stayed in its slot.
        for (_, own) in Dictionary(grouping: reports, by: \.life) {
          #expect(own.map(\.count).sorted() == Array(1...own.count))
          #expect(Set(own.map(\.slot)).count == 1)
        }
      }
    }

    struct CountEvens: Worker {
      func setUp(_ context: WorkerContext) -> Int { 0 }
      func process(_ item: Int, state: inout Int) { state += item.isMultiple(of: 2) ? 1 : 0 }
      func tearDown(_ state: Int) -> Int { state }
    }

    @Test("M6 how many are even", arguments: Place.allCases)
    func evens(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        try await pool.forEach(0..<100, with: CountEvens())
        let counts = try await pool.tearDown(CountEvens()).map { try? $0.result.get() }
        #expect(counts.reduce(0) { $0 + ($1 ?? -1_000) } == 50)
      }
    }

    struct SlotOf: Worker {
      func process(_ item: Int, state: inout WorkerContext) -> Int { state.slot }
      func setUp(_ context: WorkerContext) -> WorkerContext { context }
    }

    @Test("M10 chunks go round in order", arguments: Place.allCases, [1, 2])
    func orderTasks(place: Place, chunk: Int) async throws {
      let width = place.width(3)
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let options = MapOptions(chunking: .size(chunk), dispatch: .roundRobin)
        for _ in 1...2 {
          let slots = try await pool.map(0..<20, with: SlotOf(), options: options)
          #expect(slots == (0..<20).map { $0 / chunk % width })
        }
      }
    }
  }
}
