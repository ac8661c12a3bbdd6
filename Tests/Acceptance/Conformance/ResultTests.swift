import Millrace
import MillraceIPC
import Testing

extension Checked.EveryPlace {
  /// Submissions, MPIRE's `AsyncResult`, and iterators.
  struct Results {
    struct Oops: Error, Equatable {}

    @Test("M17 a submission is pending, then has its value", arguments: Place.local)
    func pending(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let gate = Gate()
        let submission = try pool.submit(20) { (item: Int) in
          await gate.pass()
          return item + 1
        }
        #expect(!submission.isFinished)
        #expect(submission.result == nil)
        gate.open()
        #expect(try await submission.value == 21)
        #expect(submission.isFinished)
        #expect(try await submission.value == 21, "again")
        #expect(try await submission.value(within: .milliseconds(1)) == 21)
      }
    }

    @Test("M17 waiting has a limit, and one may ask again", arguments: [Place.tasks, .threads])
    func limit(place: Place) async throws {
      try await withWorkerPool(place.backend(1)) { pool async throws in
        let gate = Gate()
        let submission = try pool.submit {
          await gate.pass()
          return 7
        }
        let error = await error { _ = try await submission.value(within: .milliseconds(1)) }
        #expect((error as? WorkerPoolError)?.kind == .nextTimedOut)
        #expect(!submission.isFinished)
        gate.open()
        #expect(try await submission.value == 7)
      }
    }

    @Test("M17 who waits for a value hears of it once, with the value or the error", arguments: Place.allCases)
    func callbacks(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        let worker = Errors.Picky(refuses: 2..<3)
        let heard = Lock<[Int: [Result<Int, any Error>]]>([:])
        try await withThrowingTaskGroup(of: Void.self) { group in
          for item in 0..<5 {
            let submission = try pool.submit(item, with: worker)
            group.addTask {
              let result: Result<Int, any Error>
              do { result = .success(try await submission.value) } catch { result = .failure(error) }
              heard.withLock { $0[item, default: []].append(result) }
            }
          }
          try await group.waitForAll()
        }
        let made = heard.withLock { $0 }
        #expect(made.count == 5)
        for (item, results) in made {
          #expect(results.count == 1)
          switch results[0] {
          case .success(let output): #expect(output == item * item && item != 2)
          case .failure(let error): #expect((error as? ItemFailure)?.underlying as? Refused == Refused(item: item))
          }
        }
      }
    }

    @Test("M17 the pool ends before the item does", arguments: Place.parallel)
    func ended(place: Place) async throws {
      let pool = try WorkerPool(place.backend(1), logger: silent)
      let submissions = try (0..<3).map { try pool.submit($0, with: Endless()) }
      try await pool.terminate()
      for submission in submissions {
        let error = await error { _ = try await submission.value }
        #expect((error as? WorkerPoolError)?.kind == .closed)
      }
      #expect(throws: WorkerPoolError.self) { try pool.submit(1, with: Endless()) }
      let error = await error { _ = try await pool.map(0..<3, with: Endless()) }
      #expect((error as? WorkerPoolError)?.kind == .closed)
    }

    /// Goes on until it is cancelled.
    struct Endless: Worker {
      func setUp(_ context: WorkerContext) -> WorkerContext { context }
      func process(_ item: Int, state: inout WorkerContext) async throws -> Int {
        while !state.isCancelled { await Task.yield() }
        throw CancellationError()
      }
    }

    @Test("M17 a submission is given up", arguments: Place.parallel)
    func cancelled(place: Place) async throws {
      try await withWorkerPool(place.backend(1), logger: silent) { pool async throws in
        let submission = try pool.submit(0, with: Endless())
        submission.cancel()
        #expect(await error { _ = try await submission.value } is CancellationError)
        #expect(try await pool.map(data, with: Square()) == squares)
      }
    }

    @Test("M17 a stream ends after its length, and stays ended", arguments: Place.allCases)
    func streamEnds(place: Place) async throws {
      try await withWorkerPool(place.backend(2)) { pool async throws in
        var outputs = pool.outputs(of: data, with: Square()).makeAsyncIterator()
        for square in squares { #expect(try await outputs.next() == square) }
        #expect(try await outputs.next() == nil)
        #expect(try await outputs.next() == nil)
      }
    }

    @Test("M17 iterating after the pool's end throws", arguments: Place.allCases)
    func iterateAfterEnd(place: Place) async throws {
      let pool = try WorkerPool(place.backend(2))
      var outputs = pool.outputs(of: 0..<1_000, with: Errors.Picky(refuses: 0..<0)).makeAsyncIterator()
      #expect(try await outputs.next() == 0)
      try await pool.terminate()
      let error = await error { while try await outputs.next() != nil {} }
      #expect((error as? WorkerPoolError)?.kind == .closed)
    }
  }
}
