import Millrace
import TestSupport
import Testing

extension Checked.EveryPlace {
  /// Limits on time.
  struct TimeLimits {
    /// Sleeps where it is told to.
    struct Sleepy: Worker {
      enum Phase: BitwiseCopyable { case setUp, process, tearDown, none }
      var phase: Phase
      func setUp(_ context: WorkerContext) async throws { try await sleep(.setUp) }
      func process(_ item: Int, state: inout Void) async throws -> Int {
        try await sleep(.process)
        return item
      }
      func tearDown(_ state: Void) async throws { try await sleep(.tearDown) }
      private func sleep(_ here: Phase) async throws {
        if phase == here { try await Task.sleep(for: .seconds(1)) }
      }
    }

    /// `Task.sleep` needs Dispatch, which is not there in a worker that was forked from the program.
    static let places = [Place.tasks, .threads, .forkServer, .spawn].runnable

    static func limits(_ limit: Duration) -> MapOptions.Timeouts {
      MapOptions.Timeouts(item: limit, setUp: limit, tearDown: limit)
    }

    @Test("M13 limits that are not reached", arguments: Place.allCases)
    func passes(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let limits = Self.limits(.seconds(100))
        let outputs = try await pool.map(0..<10, with: Sleepy(phase: .none), options: MapOptions(timeouts: limits))
        #expect(outputs == Array(0..<10))
        #expect(try await pool.run(7, with: Sleepy(phase: .none), options: ItemOptions(timeouts: limits)) == 7)
        #expect(try await pool.tearDown(Sleepy(phase: .none)).allSatisfy { (try? $0.result.get()) != nil })
      }
    }

    @Test("M13 items over the limit: map, stream, apply", arguments: places)
    func items(place: Place) async throws {
      try await withWorkerPool(place.backend(2), logger: silent) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(10)))
        let worker = Sleepy(phase: .process)
        let begun = ContinuousClock.now
        let errors = [
          await error { _ = try await pool.map(0..<3, with: worker, options: options) },
          await error { for try await _ in pool.outputs(of: 0..<3, with: worker, options: options) {} },
          await error { _ = try await pool.run(1, with: worker, options: ItemOptions(timeouts: options.timeouts)) },
        ]
        #expect(ContinuousClock.now - begun < .seconds(3), "none has slept its second out")
        for error in errors {
          guard case .timedOut(.milliseconds(10)) = (error as? ItemFailure)?.cause else {
            Issue.record("\(String(describing: error))")
            continue
          }
        }
      }
    }

    @Test("M13 set-up over the limit: map, stream, apply", arguments: places)
    func setUp(place: Place) async throws {
      try await withWorkerPool(place.backend(1), logger: silent) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(setUp: .milliseconds(10)))
        let worker = Sleepy(phase: .setUp)
        for error in [
          await error { _ = try await pool.map(0..<3, with: worker, options: options) },
          await error { for try await _ in pool.outputs(of: 0..<3, with: worker, options: options) {} },
          await error { _ = try await pool.run(1, with: worker, options: ItemOptions(timeouts: options.timeouts)) },
        ] {
          #expect((error as? WorkerPoolError)?.kind == .setUpFailed, "\(String(describing: error))")
        }
      }
    }

    @Test("M13 tear-down over the limit", arguments: places)
    func tearDown(place: Place) async throws {
      try await withWorkerPool(place.backend(2), logger: silent) { pool async throws in
        let options = MapOptions(timeouts: MapOptions.Timeouts(tearDown: .milliseconds(10)))
        let worker = Sleepy(phase: .tearDown)
        #expect(try await pool.map(0..<3, with: worker, options: options) == [0, 1, 2])
        let begun = ContinuousClock.now
        let exits = try await pool.tearDown(worker)
        #expect(ContinuousClock.now - begun < .seconds(1))
        #expect(exits.allSatisfy { (try? $0.result.get()) == nil })
        #expect(try await pool.map(data, with: Square()) == squares)
      }
    }

    /// Sleeps if the item is odd, fails if it is negative.
    struct Odd: StatelessWorker {
      func process(_ item: Int) async throws -> Int {
        if item < 0 { throw Refused(item: item) }
        if !item.isMultiple(of: 2) { try await Task.sleep(for: .seconds(1)) }
        return item
      }
    }

    @Test("M13 six submissions, the odd ones are too slow", arguments: places)
    func sixSubmissions(place: Place) async throws {
      try await withWorkerPool(place.backend(3), logger: silent) { pool async throws in
        let options = ItemOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(100)))
        let submissions = try (0..<6).map { try pool.submit($0, with: Odd(), options: options) }
        for (item, submission) in submissions.enumerated() {
          if item.isMultiple(of: 2) {
            #expect(try await submission.value == item)
          } else if case .timedOut = (await error { _ = try await submission.value } as? ItemFailure)?.cause {
          } else {
            Issue.record("\(item) is \(String(describing: submission.result))")
          }
        }
      }
    }

    @Test("M13 submissions that fail or are too slow leave the one before them alone", arguments: places)
    func othersFail(place: Place) async throws {
      try await withWorkerPool(place.backend(3), logger: silent) { pool async throws in
        let begun = ContinuousClock.now
        let first = try pool.submit(1, with: Odd())  // a second long
        let options = ItemOptions(timeouts: MapOptions.Timeouts(item: .milliseconds(50)))
        let others = try [-1, 3].map { try pool.submit($0, with: Odd(), options: options) }
        for other in others { #expect(await error { _ = try await other.value } is ItemFailure) }
        let time = ContinuousClock.now - begun
        #expect(!first.isFinished, "after \(time)")
        #expect(try await first.value == 1)
      }
    }
  }
}
