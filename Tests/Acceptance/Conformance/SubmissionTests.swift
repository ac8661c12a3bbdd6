import Millrace
import TestSupport
import Testing

extension Checked {
  /// Single items.
  @Suite struct Submissions {
    @Test(
      "submit returns at once, its value comes later", arguments: Backends.Conforming.everything.able(.runsClosures))
    func submit(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let submissions = try (0..<50).map { try pool.submit($0, with: Times(factor: 2)) }
        for (item, submission) in submissions.enumerated() {
          #expect(try await submission.value == item * 2)
          #expect(submission.isFinished)
          #expect(try await submission.value == item * 2)
        }
        #expect(try await pool.submit(4) { $0 + 38 }.value == 42)
        #expect(try await pool.submit { "no input" }.value == "no input")
      }
    }

    @Test("U252: what is there is had within any time, none at all among them", arguments: Backends.Conforming.all)
    func within(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let submission = try pool.submit(21, with: Times(factor: 2))
        #expect(try await submission.value == 42)
        for limit in [Duration.zero, .seconds(-1), .nanoseconds(1)] {
          for _ in 0..<300 { #expect(try await submission.value(within: limit) == 42) }
        }
      }
    }

    @Test(
      "a pool, a submission and a stream can be printed with all that they hold",
      arguments: Backends.Conforming.everything)
    func dumped(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let submission = try pool.submit(21, with: Times(factor: 2))
        #expect(try await submission.value == 42)
        let things: [(Any, String)] = [
          (pool, "width: \(pool.width)"), (submission, "width: \(pool.width)"),
          (pool.outputs(of: 0..<9, with: Times(factor: 2)), "OutputSequence"),
        ]
        for (thing, expected) in things {
          var text = ""
          dump(thing, to: &text)
          #expect(text.contains(expected))
        }
      }
    }

    @Test("U184: who gives up waiting takes nothing from those who ask again", arguments: Backends.shared)
    func askedAgain(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let submission = try pool.submit(4) { (item: Int) -> Int in
          try await Task.sleep(for: .milliseconds(100))
          return item
        }
        let early = await #expect(throws: WorkerPoolError.self) {
          try await submission.value(within: .milliseconds(10))
        }
        #expect(early?.kind == .nextTimedOut)
        for _ in 0..<50 { _ = try? await submission.value(within: .microseconds(10)) }
        let cancelled = Task {
          withUnsafeCurrentTask { $0?.cancel() }
          return try await submission.value
        }
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        let late = Task { try await submission.value }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        #expect(try await submission.value == 4)
        #expect(try await pool.map(0..<3) { $0 } == [0, 1, 2])
      }
    }

    @Test("a failed item leaves the others alone", arguments: Backends.Conforming.all)
    func failure(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let submissions = try (0..<9).map { try pool.submit($0, with: Picky(modulus: 3, remainder: 1)) }
        for (item, submission) in submissions.enumerated() {
          if item % 3 == 1 {
            let failure = await #expect(throws: ItemFailure.self) { _ = try await submission.value }
            #expect(failure?.underlying as? Refused == Refused(item: item))
          } else {
            #expect(try await submission.value == item * 2)
          }
        }
      }
    }

    @Test("a submission whose value nobody asks for does not keep the pool", arguments: Backends.Conforming.all)
    func unasked(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      let submissions = try (0..<3).map { try pool.submit($0, with: AddOne()) }
      try await pool.shutdown()
      for (item, submission) in submissions.enumerated() { #expect(try await submission.value == item + 1) }
    }

    @Test(
      "a cancelled map that waits for its input, or whose items mind it, says so",
      arguments: Backends.Conforming.all.able(.runsClosures))
    func cancelled(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool async throws in
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
        let waits = Task { try await pool.map(stream, with: AddOne()) }
        try await Task.sleep(for: .milliseconds(10))
        waits.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waits.value }
        continuation.finish()
        let begun = CommonCounter()
        let minds = Task {
          try await pool.map(
            0..<3,
            with: ClosureWorker { (item: Int) in
              let context = WorkerContext.current!
              begun.increment()
              while !context.isCancelled { await Task.yield() }
              throw Refused(item: item)
            })
        }
        await begun.wait(for: 1)
        minds.cancel()
        await #expect(throws: CancellationError.self) { _ = try await minds.value }
      }
    }

    @Test(
      "apply, and what becomes of it when its task is cancelled", arguments: Backends.Conforming.all.able(.runsClosures)
    )
    func apply(backend: WorkerPool.Backend) async throws {
      let begun = CommonCounter()
      try await withWorkerPool(backend) { pool async throws in
        #expect(try await pool.run(20, with: AddOne()) == 21)
        #expect(try await pool.run("a") { $0 + "b" } == "ab")
        let task = Task {
          try await pool.run(
            0,
            with: ClosureWorker { (_: Int) in
              let context = WorkerContext.current!
              begun.increment()
              while !context.isCancelled { await Task.yield() }
            })
        }
        await begun.wait(for: 1)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await pool.run(20, with: AddOne()) == 21)
      }
    }

    @Test("a cancelled submission throws", arguments: Backends.Conforming.apart.able(.runsClosures))
    func cancel(backend: WorkerPool.Backend) async throws {
      let begun = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let submission = try pool.submit(
          0,
          with: ClosureWorker { (_: Int) in
            let context = WorkerContext.current!
            begun.increment()
            while !context.isCancelled { await Task.yield() }
          })
        await begun.wait(for: 1)
        submission.cancel()
        await #expect(throws: CancellationError.self) { try await submission.value }
      }
    }

    @Test("a limit on the wait", arguments: Backends.Conforming.apart.able(.runsClosures))
    func valueWithin(backend: WorkerPool.Backend) async throws {
      let gate = CommonCounter()
      try await withWorkerPool(backend) { pool in
        let submission = try pool.submit(3) { item in
          await gate.wait(for: 1)
          return item
        }
        let error = await #expect(throws: WorkerPoolError.self) {
          _ = try await submission.value(within: .milliseconds(30))
        }
        #expect(error?.kind == .nextTimedOut)
        gate.set(1)
        #expect(try await submission.value(within: .seconds(30)) == 3)
      }
    }

    @Test("a pool that was shut down takes nothing", arguments: Backends.Conforming.all)
    func closed(backend: WorkerPool.Backend) async throws {
      let pool = try WorkerPool(backend)
      #expect(try await pool.run(1, with: AddOne()) == 2)
      try await pool.shutdown()
      let error = await #expect(throws: WorkerPoolError.self) { _ = try await pool.map([1], with: AddOne()) }
      #expect(error?.kind == .closed)
      #expect(throws: WorkerPoolError.self) { _ = try pool.submit(1, with: AddOne()) }
    }
  }
}
