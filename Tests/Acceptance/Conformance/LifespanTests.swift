import Foundation
import Millrace
import MillraceTesting
import Testing

extension Checked.EveryPlace {
  /// What ends a worker's life besides its number of items, what it is born with, and that nothing stays.
  struct Lives {
    /// Takes memory and keeps it.
    struct Hoard: Worker {
      func setUp(_ context: WorkerContext) -> [[UInt8]] { [] }
      func process(_ item: Int, state: inout [[UInt8]]) -> Int32 {
        state.append([UInt8](repeating: 1, count: 32 << 20))
        return getpid()
      }
      func tearDown(_ state: [[UInt8]]) -> Int { state.count }
    }

    @Test(
      "a worker that has grown is replaced",
      .disabled(if: AddressSanitizer.isOn, "the program has freed more by then than a worker takes"),
      arguments: Place.processes)
    func memory(place: Place) async throws {
      try await withWorkerPool(place.backend(1)) { pool async throws in
        // A forked worker begins with what its parent has.
        let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(memory: residentBytes() + 80 << 20))
        let workers = try await pool.map(0..<12, with: Hoard(), options: options)
        #expect(Set(workers).count >= 2)
        let counts = try await pool.tearDown(Hoard()).map { try $0.result.get() }
        #expect(counts.reduce(0, +) == 12)
        #expect(counts.max()! < 12)
      }
    }

    @Test("a limit on memory is for processes", arguments: Place.local)
    func noMemoryLimit(place: Place) async throws {
      try await withWorkerPool(place.backend(1)) { pool async throws in
        let options = MapOptions(lifespan: MapOptions.Lifespan(memory: 1 << 30))
        let error = await error { _ = try await pool.map(data, with: Square(), options: options) }
        #expect((error as? InvalidOption)?.name == "lifespan.memory")
      }
    }

    @Test("U241: workers that hand back nothing are counted, each in its slot", arguments: Place.allCases)
    func emptyExits(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 2))
        #expect(try await pool.map(0..<20, with: AddOne(), options: options) == Array(1...20))
        let exits = try await pool.tearDown(AddOne())
        #expect((10...12).contains(exits.count), "\(exits.count)")
        #expect(exits.map(\.slot) == exits.map(\.slot).sorted())
        for exit in exits { try exit.result.get() }
      }
    }

    @Test("a worker that is old is replaced", arguments: Place.allCases)
    func age(place: Place) async throws {
      try await Tally.with { tally in
        try await withWorkerPool(place.backend(2)) { pool async throws in
          // Whatever is done after a nanosecond is done by an old worker.
          let options = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(age: .nanoseconds(1)))
          #expect(try await pool.map(0..<6, with: SetUps.Counted(tally: tally), options: options) == Array(0..<6))
          _ = try await pool.tearDown(SetUps.Counted(tally: tally))
          #expect((6...6 + 2).contains(tally.count))

          let long = MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(age: .seconds(3_600)))
          let before = tally.count
          #expect(try await pool.map(0..<6, with: SetUps.Counted(tally: tally, factor: 2), options: long).count == 6)
          _ = try await pool.tearDown(SetUps.Counted(tally: tally, factor: 2))
          #expect((1...place.width(2)).contains(tally.count - before))
        }
      }
    }

    struct Variable: Worker {
      func setUp(_ context: WorkerContext) -> [String?] { Self.all }
      func process(_ item: Int, state: inout [String?]) -> [String?] { state + Self.all }
      static var all: [String?] {
        let names: [String] = ["MILLRACE_ADDED", "PATH"]
        return names.map { name in getenv(name).map { String(cString: $0) } }
      }
    }

    /// How long variables are.
    struct Lengths: StatelessWorker {
      func process(_ item: [String]) -> [Int] { item.map { name in getenv(name).map { Int(strlen($0)) } ?? -1 } }
    }

    @Test(
      "U233: variables may be as long as the system takes them, and as many as one likes", arguments: Place.processes)
    func largeEnvironment(place: Place) async throws {
      let lengths = ["LONG": 70_000, "LONGEST": 131_071 - "LONGEST=".utf8.count]
        .merging((0..<40).map { ("MANY_\($0)", 60_000) }) { $1 }
      let options = WorkerPool.ProcessOptions(
        environment: lengths.mapValues { Optional(String(repeating: "v", count: $0)) })
      try await withWorkerPool(place.backend(1, options)) { pool async throws in
        let names = lengths.keys.sorted()
        let found = try await pool.map([names], with: Lengths())
        #expect(found == [names.map { lengths[$0]! }])
      }
    }

    @Test("environment variables of workers", arguments: Place.processes)
    func environment(place: Place) async throws {
      let options = WorkerPool.ProcessOptions(environment: ["MILLRACE_ADDED": "by the pool", "PATH": nil])
      try await withWorkerPool(place.backend(2, options)) { pool async throws in
        for found in try await pool.map(0..<4, with: Variable(), options: MapOptions(chunking: .size(1))) {
          #expect(found == ["by the pool", nil, "by the pool", nil])
        }
      }
      #expect(getenv("MILLRACE_ADDED") == nil)
      #expect(getenv("PATH") != nil)
    }

    @Test("thirty pools come and go", arguments: Place.allCases)
    func cycles(place: Place) async throws {
      for _ in 1...30 {
        try await withWorkerPool(place.backend(2)) { pool async throws in
          #expect(try await pool.map(data, with: Square()) == squares)
        }
      }
    }

    @Test("a pool that is dropped leaves nothing", arguments: Place.allCases)
    func dropped(place: Place) async throws {
      let outputs = try await WorkerPool(place.backend(2)).map(data, with: Square())
      #expect(outputs == squares)
    }

    private func residentBytes() -> Int {
      let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
      return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
  }
}
