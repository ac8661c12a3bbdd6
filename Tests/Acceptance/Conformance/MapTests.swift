import Millrace
import Testing

extension Checked.EveryPlace {
  /// The map family over all settings.
  struct Maps {
    struct Setting: Sendable {
      var workers: Int?
      var options: @Sendable () -> MapOptions
    }

    static let settings: [Setting] = [
      Setting(workers: nil) { MapOptions() },
      Setting(workers: 1) { MapOptions() },
      Setting(workers: 2) { MapOptions() },
      Setting(workers: 2) { MapOptions(window: .items(2)) },
      Setting(workers: 2) { MapOptions(lifespan: MapOptions.Lifespan(items: 2)) },
      Setting(workers: 2) { MapOptions(chunking: .size(3)) },
      Setting(workers: 2) { MapOptions(chunking: .count(3), count: data.count) },
      Setting(workers: 2) { MapOptions(chunking: try! MapOptions.Chunking(size: 3, count: 3)) },
      Setting(workers: 2) { MapOptions(chunking: .size(3), lifespan: MapOptions.Lifespan(items: 1)) },
    ]

    @Test("M1 four maps, from arrays and lazily, in every setting", arguments: Place.allCases)
    func allSettings(place: Place) async throws {
      for setting in Self.settings {
        let backend = place.backend(setting.workers ?? WorkerPool.usableCPUs)
        try await withWorkerPool(backend) { pool async throws in
          let options = setting.options()
          try await fourMaps(pool, options) { data }
          try await fourMaps(pool, options) { data.lazy.filter { _ in true } }
          #expect(try await pool.map([], with: Square(), options: MapOptions(chunking: .size(3))) == [])
          #expect(try await pool.map(data.lazy.filter { _ in false }, with: Square(), order: .completion) == [])
        }
      }
    }

    private func fourMaps<S: Sequence>(
      _ pool: WorkerPool, _ options: MapOptions, _ items: () -> sending S
    ) async throws where S.Element == Tagged {
      #expect(try await pool.map(items(), with: Square(), options: options) == squares)
      #expect(Set(try await pool.map(items(), with: Square(), order: .completion, options: options)) == Set(squares))
      var streamed: [Tagged] = []
      for try await output in pool.outputs(of: items(), with: Square(), options: options) { streamed.append(output) }
      #expect(streamed == squares)
      streamed = []
      for try await output in pool.outputs(of: items(), with: Square(), order: .completion, options: options) {
        streamed.append(output)
      }
      #expect(streamed.count == squares.count)
      #expect(Set(streamed) == Set(squares))
    }

    struct Mebibyte: StatelessWorker {
      func process(_ item: Int) -> [UInt8] { [UInt8](repeating: UInt8(item), count: 1 << 20) }
    }

    @Test("M1 outputs of 1 MiB", arguments: Place.allCases)
    func largeOutputs(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        var next = 0
        for try await output in pool.outputs(of: 0..<13, with: Mebibyte()) {
          let isRight = output == [UInt8](repeating: UInt8(next), count: 1 << 20)
          #expect(isRight)
          next += 1
        }
        #expect(next == 13)
      }
    }

    struct Halve: StatelessWorker {
      func process(_ rows: [SIMD2<Double>]) -> [SIMD2<Double>] { rows.map { $0 / 2 } }
    }

    @Test("M4 a contiguous buffer in slices", arguments: Place.allCases)
    func slices(place: Place) async throws {
      let rows = (0..<100).map { SIMD2(Double($0), Double($0) * 0.1) }
      let serial = rows.map { $0 / 2 }
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let slices = rows.chunks(of: 7).map(Array.init)
        #expect(try await pool.map(slices, with: Halve()).flatMap(\.self) == serial)
        let unordered = try await pool.map(slices, with: Halve(), order: .completion).flatMap(\.self)
        #expect(unordered.count == serial.count)
        #expect(unordered.sorted { $0.x < $1.x } == serial)
      }
    }

    @Test("M4 slices of a shared buffer, not copied", arguments: Place.local)
    func sharedSlices(place: Place) async throws {
      let rows = (0..<100).map { SIMD2(Double($0), Double($0) * 0.1) }
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let halved = try await pool.map(rows.chunks(count: 9)) { slice in slice.map { $0 / 2 } }
        #expect(halved.flatMap(\.self) == rows.map { $0 / 2 })
      }
    }

    @Test("M18 two maps at once on one pool", arguments: Place.allCases)
    func twoMaps(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        async let first = pool.map(data, with: Square())
        async let second = pool.map(0..<500, with: Twice())
        #expect(try await first == squares)
        #expect(try await second == (0..<500).map { $0 * 2 })
      }
    }

    struct Twice: StatelessWorker {
      func process(_ item: Int) -> Int { item * 2 }
    }
  }
}
