import Millrace
import MillraceIPC
import Testing

extension Checked.EveryPlace {
  /// Chunks, windows, and what options may be.
  struct Chunks {
    @Test("M2 chunk sizes")
    func sizes() throws {
      let ten = 0..<10
      #expect(ten.chunks(count: 3).map(Array.init) == [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9]])
      #expect(ten.chunks(of: 2.5).map(\.count) == [3, 2, 3, 2])
      #expect(ten.chunks(count: 6).map(\.count) == [2, 2, 1, 2, 2, 1])
      #expect((0..<4).chunks(of: 4).map(\.count) == [4])
      let both = try MapOptions.Chunking(size: 4, count: 4)
      #expect(both == MapOptions.Chunking.size(4.0), "the size wins")
      let thousand = (0..<1_000).chunks(count: 4 * 64).map(\.count)
      #expect(thousand.count == 256)
      #expect(Set(thousand) == [3, 4])
      #expect(thousand.reduce(0, +) == 1_000)
      #expect((0..<100).chunks(count: 7).map(\.count) == [15, 14, 14, 15, 14, 14, 14])
      #expect(throws: InvalidOption.self) { try MapOptions.Chunking(size: nil, count: nil) }
      // M3
      #expect((0..<11).chunks(count: 3 * 64).map(\.count) == Array(repeating: 1, count: 11))
      #expect((0..<22).chunks(count: 11).map(\.count) == Array(repeating: 2, count: 11))
    }

    @Test("M2 a declared length", arguments: Place.allCases, [(5, 5), (10, 10), (20, 10)])
    func declaredLength(place: Place, length: (declared: Int, run: Int)) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let items = data.prefix(10).lazy.filter { _ in true }
        let options = MapOptions(chunking: .count(3), count: length.declared)
        #expect(try await pool.map(items, with: Square(), options: options) == Array(squares.prefix(length.run)))
      }
    }

    @Test("M2 chunks by number need a length")
    func unknownLength() async throws {
      try await withWorkerPool(.threads(1)) { pool async throws in
        let error = await error {
          _ = try await pool.map(
            data.lazy.filter { _ in true }, with: Square(), options: MapOptions(chunking: .count(3)))
        }
        #expect((error as? InvalidOption)?.name == "chunking")
      }
    }

    /// The slot in which an item ran.
    struct Slots: Worker {
      func setUp(_ context: WorkerContext) -> Int { context.slot }
      func process(_ item: Int, state slot: inout Int) -> Int { slot }
    }

    @Test("U23: a chunk for each worker is dealt out with roundRobin", arguments: Place.parallel)
    func perWorker(place: Place) async throws {
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let dealt = MapOptions(chunking: .perWorker(1), dispatch: .roundRobin)
        #expect(try await pool.map(0..<9, with: Slots(), options: dealt) == [0, 0, 0, 1, 1, 1, 2, 2, 2])
        // Without it, who is ready takes the next: three chunks, on whatever slots.
        let slots = try await pool.map(0..<9, with: Slots(), options: MapOptions(chunking: .perWorker(1)))
        for chunk in 0..<3 { #expect(Set(slots[chunk * 3..<chunk * 3 + 3]).count == 1) }
      }
    }

    /// How many items were read and not yet taken, at the most.
    final class Reads: Sendable {
      let state = Lock((read: 0, taken: 0, most: 0))

      func read() {
        state.withLock { state in
          state.read += 1
          state.most = max(state.most, state.read - state.taken)
        }
      }
      func taken() { state.withLock { $0.taken += 1 } }
      var most: Int { state.withLock { $0.most } }
    }

    @Test("M3 the default window is two chunks a worker", arguments: [(1, 10.0, 20), (2, 1.8, 8), (4, 3.14, 32)])
    func window(workers: Int, chunk: Double, active: Int) async throws {
      try await withWorkerPool(.threads(workers)) { pool async throws in
        let reads = Reads()
        let gate = Gate()
        let items = (0..<100).lazy.map { item in
          reads.read()
          // Nobody finishes an item before the window is full: it is filled up, whatever the threads do.
          if reads.most == active { gate.open() }
          return item
        }
        let options = MapOptions(chunking: .size(chunk))
        let outputs = pool.outputs(of: AnySequence(items), options: options) { (item: Int) -> Int in
          await gate.pass()
          return item
        }
        for try await _ in outputs { reads.taken() }
        #expect(reads.most == active)
      }
    }

    /// Many others are run while one worker is at the first item.
    @Test(
      "an item that takes long does not stop the other workers",
      arguments: [(MapOptions.Chunking.automatic, 12), (.size(500), 5_000)])
    func longItem(chunking: MapOptions.Chunking, others: Int) async throws {
      try await withWorkerPool(.threads(2)) { pool async throws in
        let gate = Gate()
        let run = Lock(0)
        let outputs = try await pool.map(Array(0..<20_000), options: MapOptions(chunking: chunking)) { item in
          if item == 0 { await gate.pass() }
          let isEnough = run.withLock { run in
            run += 1
            return run == others
          }
          if isEnough { gate.open() }
          return item
        }
        #expect(outputs == Array(0..<20_000))
      }
    }

    static let wrong: [@Sendable (Int) -> MapOptions] = [
      { MapOptions(chunking: .size($0)) },
      { MapOptions(chunking: .size(Double($0))) },
      { MapOptions(chunking: .count($0)) },
      { MapOptions(chunking: .perWorker($0)) },
      { MapOptions(window: .items($0)) },
      { MapOptions(window: .chunksPerWorker(Double($0))) },
      { MapOptions(window: .itemsPerWorker(Double($0))) },
      { MapOptions(lifespan: MapOptions.Lifespan(items: $0)) },
      { MapOptions(lifespan: MapOptions.Lifespan(age: .seconds($0))) },
      { MapOptions(timeouts: MapOptions.Timeouts(item: .seconds($0))) },
      { MapOptions(timeouts: MapOptions.Timeouts(setUp: .seconds($0))) },
      { MapOptions(timeouts: MapOptions.Timeouts(tearDown: .seconds($0))) },
      { MapOptions(nextTimeout: .seconds($0)) },
    ]

    @Test("M3 counts and limits of 0 and -5", arguments: [0, -5])
    func wrongOptions(value: Int) async throws {
      #expect(throws: InvalidOption.self) { try WorkerPool(.threads(value)) }
      #expect(throws: InvalidOption.self) { try WorkerPool(.processes(value)) }
      #expect(throws: InvalidOption.self) {
        try WorkerPool(.processes(1, WorkerPool.ProcessOptions(threadsPerProcess: value)))
      }
      try await withWorkerPool(.threads(1)) { pool async throws in
        for options in Self.wrong {
          await #expect(throws: InvalidOption.self) {
            try await pool.map(data, with: Square(), options: options(value))
          }
        }
        #expect(throws: InvalidOption.self) { try pool.resize(to: value) }
        #expect(try await pool.map(data, with: Square()) == squares)
      }
    }
  }

  /// Lets nobody pass before it is opened.
  final class Gate: Sendable {
    private let state = Lock((isOpen: false, waiting: [CheckedContinuation<Void, Never>]()))

    func open() {
      let waiting = state.withLock { state in
        state.isOpen = true
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume() }
    }

    func pass() async {
      await withCheckedContinuation { continuation in
        let isOpen = state.withLock { state in
          if !state.isOpen { state.waiting.append(continuation) }
          return state.isOpen
        }
        if isOpen { continuation.resume() }
      }
    }
  }
}
