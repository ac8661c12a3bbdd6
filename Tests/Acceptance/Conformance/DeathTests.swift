import Millrace
import MillraceTesting
import Testing

#if canImport(Glibc)
import Glibc
#endif

extension Checked.EveryPlace {
  /// Errors, deaths, and what they leave alone.
  struct Errors {
    /// Refuses the items at or above a limit.
    struct Picky: StatelessWorker {
      var refuses: Range<Int>
      func process(_ item: Int) throws -> Int {
        if refuses.contains(item) { throw Refused(item: item) }
        return item * item
      }
    }

    static let settings: [(String, MapOptions)] = [
      ("plain", MapOptions()),
      ("one active", MapOptions(window: .items(1))),
      ("lifespan of one", MapOptions(chunking: .size(1), lifespan: MapOptions.Lifespan(items: 1))),
      ("shown", MapOptions(progress: .custom(Unseen()))),
    ]

    /// Has a map counted as one with a bar is, and draws none.
    struct Unseen: ProgressReporter {
      func report(_ state: ProgressState) {}
    }

    @Test("M11 errors of all items and of one", arguments: Place.allCases, [1, 3])
    func thrown(place: Place, workers: Int) async throws {
      try await withWorkerPool(place.backend(workers)) { pool async throws in
        for (_, options) in Self.settings {
          for worker in [Picky(refuses: 0..<10), Picky(refuses: 5..<6)] {
            let failure = await error { _ = try await pool.map(0..<10, with: worker, options: options) }
            let found = try #require(failure as? ItemFailure)
            #expect(worker.refuses.contains(found.index))
            #expect((0..<pool.width).contains(found.slot))
            #expect(found.attempt == 1)
            #expect(found.underlying as? Refused == Refused(item: found.index))
            // The item itself comes with the outcome.
            for try await outcome in pool.outcomes(of: 0..<10, with: worker, options: options) {
              #expect(outcome.input == outcome.index)
              #expect(
                (try? outcome.result.get())
                  == (worker.refuses.contains(outcome.index) ? nil : outcome.index * outcome.index))
            }
          }
          let good = try await pool.map(0..<5, with: Picky(refuses: 5..<6), options: options)
          #expect(good == [0, 1, 4, 9, 16], "the pool goes on after an error was caught")
        }
      }
    }

    /// Dies in a way at one item.
    struct Mortal: StatelessWorker {
      enum End: BitwiseCopyable { case exits, kill, terminate, trap }
      var end: End
      var at: Int
      func process(_ item: Int) -> Int {
        guard item == at else { return item }
        switch end {
        case .exits: exit(3)
        case .kill: kill(getpid(), SIGKILL)
        case .terminate: kill(getpid(), SIGTERM)
        case .trap: return [Int]()[item]
        }
        return item
      }
    }

    static func isRight(_ cause: ItemFailure.Cause, for end: Mortal.End) -> Bool {
      switch (end, cause) {
      case (.exits, .exited(3)): true
      case (.kill, .crashed(let crash)): crash.signal == SIGKILL
      case (.terminate, .crashed(let crash)): crash.signal == SIGTERM
      case (.trap, .crashed(let crash)): crash.kind == .trap
      default: false
      }
    }

    @Test(
      "M12 a worker dies in a map", arguments: Place.processes,
      [Mortal.End.exits, Mortal.End.kill, Mortal.End.terminate, Mortal.End.trap])
    func death(place: Place, end: Mortal.End) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        _ = try await pool.map(0..<10, with: Mortal(end: end, at: -1))  // the workers are there
        let begun = ContinuousClock.now
        let failure = await error { _ = try await pool.map(0..<10, with: Mortal(end: end, at: 5)) } as? ItemFailure
        // After a trap, Swift's backtracer runs first: in a debug build that may take a second by itself.
        if end != .trap { #expect(ContinuousClock.now - begun < .seconds(1)) }
        let found = try #require(failure)
        #expect(found.index == 5)
        #expect(Self.isRight(found.cause, for: end), "\(found)")

        var outputs: [Int?] = []
        for try await outcome in pool.outcomes(of: 0..<10, with: Mortal(end: end, at: 5)) {
          outputs.append(try? outcome.result.get())
          if case .failure(let failure) = outcome.result { #expect(Self.isRight(failure.cause, for: end)) }
        }
        #expect(outputs == [0, 1, 2, 3, 4, nil, 6, 7, 8, 9])
        let all = await error {
          _ = try await pool.map(0..<10, with: Mortal(end: end, at: 5), onFailure: .collect)
        }
        #expect((all as? ItemFailures)?.failures.map(\.index) == [5])
      }
    }

    @Test("M12 a death is seen while other workers are busy without an end", arguments: Place.processes)
    func deathAmongBusyWorkers(place: Place) async throws {
      try await withWorkerPool(place.backend(3)) { pool async throws in
        let begun = ContinuousClock.now
        let options = MapOptions(chunking: .size(1), window: .items(64))
        let endless = pool.outputs(
          of: sequence(first: 0) { $0 + 1 }, with: Mortal(end: .kill, at: 500), order: .completion, options: options)
        let failure = await error { for try await _ in endless {} }
        #expect((failure as? ItemFailure)?.index == 500)
        #expect(ContinuousClock.now - begun < .seconds(2))
      }
    }

    @Test("M12 a hundred submissions, one dies", arguments: Place.processes)
    func deathOfOneSubmission(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let submissions = try (0..<100).map { try pool.submit($0, with: Mortal(end: .kill, at: 0)) }
        var outputs: [Int?] = []
        for submission in submissions { outputs.append(try? await submission.value) }
        #expect(outputs == [nil] + (1..<100).map { $0 })
      }
    }
  }
}
