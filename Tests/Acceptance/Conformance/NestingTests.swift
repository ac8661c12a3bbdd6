import Millrace
import TestSupport
import Testing

extension Checked.EveryPlace {
  /// Pools inside workers, and pools made from whatever thread.
  struct Nesting {
    static let pairs: [(outer: Place, inner: Place)] =
      ([.serial, .tasks, .threads, .forkServer, .spawn].flatMap { outer in
        [.serial, .threads, .forkServer].map { (outer, $0) }
      } + [(.threads, .fork), (.threads, .tasks), (.fork, .forkServer), (.fork, .threads), (.forkServer, .spawn)])
      .filter { $0.isRunnable && $1.isRunnable }

    /// Runs the data through a pool of its own.
    struct Outer: StatelessWorker, Codable {
      var inner: String
      func process(_ item: Int) async throws -> [Tagged] {
        let place = Place(rawValue: inner)!
        return try await withWorkerPool(place.backend(2)) { try await $0.map(data, with: Square()) }
      }
    }

    @Test("M19 pools in the workers of a pool", arguments: pairs)
    func nested(pair: (outer: Place, inner: Place)) async throws {
      try await withWorkerPool(pair.outer.backend(2)) { pool async throws in
        let results = try await pool.map(0..<4, with: Outer(inner: pair.inner.rawValue))
        #expect(results == Array(repeating: squares, count: 4))
      }
    }

    /// A pool in a pool in a pool: the sum of what its own sort comes to, one level down.
    struct Level: StatelessWorker, Codable {
      var place: String
      var levels: Int
      func process(_ item: Int) async throws -> Int {
        guard levels > 1 else { return item }
        let below = Level(place: place, levels: levels - 1)
        return try await withWorkerPool(Place(rawValue: place)!.backend(1)) { pool in
          try await pool.map([item, item], with: below).reduce(0, +)
        }
      }
    }

    @Test("M19 F53 three deep, one worker each", arguments: Place.allCases)
    func threeDeep(place: Place) async throws {
      try await withWorkerPool(place.backend(1)) { pool async throws in
        #expect(try await pool.map([1, 2], with: Level(place: place.rawValue, levels: 3)) == [4, 8])
      }
    }

    @Test("M19 a runaway nesting is refused", arguments: [Place.serial, .tasks, .threads, .forkServer].runnable)
    func tooDeep(place: Place) async throws {
      try await withWorkerPool(place.backend(1), logger: silent) { pool async throws in
        let failure = await error { _ = try await pool.map([1], with: Level(place: place.rawValue, levels: 12)) }
        // Each level wraps the failure of the one below.
        #expect("\(try #require(failure))".contains("pools"), "\(String(describing: failure))")
      }
    }

    /// The width of a pool that is made in the worker without one.
    struct DefaultWidth: StatelessWorker {
      func process(_ item: Int) async throws -> Int {
        try await withWorkerPool(.threads()) { $0.width }
      }
    }

    @Test("M19 a pool in a worker has one slot, unless it is said otherwise", arguments: Place.allCases)
    func defaultWidth(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        #expect(try await pool.map(0..<4, with: DefaultWidth()) == [1, 1, 1, 1])
      }
      #expect(try await withWorkerPool(.threads()) { $0.width } == WorkerPool.usableCPUs)
    }

    @Test("M21 a pool made and used on a plain thread", arguments: Place.allCases)
    func plainThread(place: Place) async throws {
      let outputs = try await onPlainThread {
        let pool = try WorkerPool(place.backend(2))
        let outputs = try waiting { try await pool.map(0..<100) { $0 * 3 } }
        let kept = try waiting {
          var kept: [Int] = []
          for try await item in pool.outputs(of: 0..<100, { $0 }) where item.isMultiple(of: 10) { kept.append(item) }
          return kept
        }
        return (outputs, kept)
      }
      #expect(outputs.0 == (0..<100).map { $0 * 3 })
      #expect(outputs.1 == Array(stride(from: 0, to: 100, by: 10)))
    }

    @Test("M21 one pool from a plain thread and from tasks at once", arguments: Place.parallel)
    func threadAndTasks(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        async let fromThread = onPlainThread {
          try waiting { try await pool.map(0..<50) { $0 + 1 } }
        }
        async let fromTask = Task.detached { try await pool.map(data, with: Square()) }.value
        async let here = pool.map(0..<50, with: Errors.Picky(refuses: 0..<0))
        let results = try await (fromThread, fromTask, here)
        #expect(results.0 == Array(1...50))
        #expect(results.1 == squares)
        #expect(results.2 == (0..<50).map { $0 * $0 })
      }
    }

    @Test("M21 an error reaches a plain thread", arguments: [Place.threads, .forkServer].runnable)
    func errorOnPlainThread(place: Place) async throws {
      let failure = await error {
        try await onPlainThread {
          let pool = try WorkerPool(place.backend(2))
          try waiting {
            try await pool.forEach(0..<10) { item in
              if item == 3 { throw Refused(item: item) }
            }
          }
        }
      }
      #expect((failure as? ItemFailure)?.index == 3)
      #expect((failure as? ItemFailure)?.underlying as? Refused == Refused(item: 3))
    }
  }
}
