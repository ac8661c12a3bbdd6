import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// What is noted on both sides of a pipeline, and when enough of it is.
private final class Passage: Sendable {
  private let state = Lock((taken: [Int](), out: Set<Int>()))
  private let isAtWork = AsyncStream<Void>.makeStream()

  func took(_ item: Int) {
    let count = state.withLock { state in
      state.taken.append(item)
      return state.taken.count
    }
    if count == 30 { isAtWork.continuation.finish() }
  }
  func cameOut(_ item: Int) { state.withLock { _ = $0.out.insert(item) } }

  func waitUntilAtWork() async { for await _ in isAtWork.stream {} }
  var taken: [Int] { state.withLock { $0.taken } }
  var lost: [Int] { state.withLock { state in state.taken.filter { !state.out.contains($0) } } }
}

/// Notes each item that was taken from it.
private struct NotedPuts: Source {
  let passage: Passage
  var pause = Duration.microseconds(200)

  func produce(_ out: Outlet<Int>) async throws {
    for item in 0... {
      try await out.put(item)
      passage.took(item)
      if pause > .zero { try await Task.sleep(for: pause) }
    }
  }
}

/// Notes each item when it gives it.
private struct NotedReads: AsyncSequence, AsyncIteratorProtocol, Sendable {
  let passage: Passage
  private var item = -1

  init(passage: Passage) { self.passage = passage }

  mutating func next() async throws -> Int? {
    try await Task.sleep(for: .microseconds(100))
    item += 1
    passage.took(item)
    return item
  }
  func makeAsyncIterator() -> NotedReads { self }
}

/// The same where a thread reads it.
private struct NotedSteps: Sequence, IteratorProtocol {
  let passage: Passage
  private var item = -1

  init(passage: Passage) { self.passage = passage }

  mutating func next() -> Int? {
    usleep(100)
    item += 1
    passage.took(item)
    return item
  }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension Checked {
  @Suite(.timeLimit(.minutes(1))) struct PipelineDrains {
    private static let rounds = 12

    @Test("U310: an item whose put has returned goes through when the run is told to stop", arguments: [0, 200])
    func stop(pause: Int) async throws {
      for _ in 0..<Self.rounds {
        let passage = Passage()
        let source = NotedPuts(passage: passage, pause: .microseconds(pause))
        let run = try Pipeline<Nothing, Int> { source }.map { passage.cameOut($0) }.start()
        await passage.waitUntilAtWork()
        try await run.stop(.drain)
        #expect(passage.lost == [])
      }
    }

    @Test("U310: and when its pool is shut down", arguments: Backends.shared)
    func shutdown(backend: WorkerPool.Backend) async throws {
      for _ in 0..<Self.rounds {
        let passage = Passage()
        let pool = try WorkerPool(backend)
        let run = try Pipeline<Nothing, Int> { NotedPuts(passage: passage) }.map { passage.cameOut($0) }.start(on: pool)
        await passage.waitUntilAtWork()
        try await pool.shutdown()
        await #expect(throws: PipelineError.self) { try await run.wait() }
        #expect(passage.lost == [])
      }
    }

    @Test("U310: what was read of a sequence goes through", arguments: Backends.shared, [true, false])
    func sequences(backend: WorkerPool.Backend, isAsynchronous: Bool) async throws {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<Self.rounds {
          let passage = Passage()
          let pipeline = Pipeline<Int, Int>.graph { $0.map { $0 } }.map { passage.cameOut($0) }
          let run =
            isAsynchronous
            ? try pipeline.start(of: NotedReads(passage: passage), on: pool)
            : try pipeline.start(of: NotedSteps(passage: passage), on: pool)
          await passage.waitUntilAtWork()
          try await run.stop(.drain)
          #expect(passage.lost == [])
        }
      }
    }

    @Test("U310: of a loop over a pool that is shut down no more is lost than what is just read")
    func loops() async throws {
      for _ in 0..<Self.rounds {
        let passage = Passage()
        let pool = try WorkerPool(.threads(2))
        let outputs = pool.outputs(of: NotedReads(passage: passage)) { $0 }
        let taking = Task {
          for try await output in outputs { passage.cameOut(output) }
        }
        await passage.waitUntilAtWork()
        try await pool.shutdown()
        await #expect(throws: WorkerPoolError.self) { try await taking.value }
        #expect(passage.lost.count <= 1)
      }
    }

    @Test("U310: a source that hangs behind its put, and one that is not asked, hold up no end")
    func others() async throws {
      struct Hangs: Source {
        let passage: Passage
        func produce(_ out: Outlet<Int>) async throws {
          for item in 0..<30 {
            try await out.put(item)
            passage.took(item)
          }
          try await Task.sleep(for: .seconds(600))
        }
      }
      let passage = Passage()
      let run = try Pipeline<Nothing, Int> { Hangs(passage: passage) }.map { passage.cameOut($0) }.start()
      await passage.waitUntilAtWork()
      try await run.stop(.drain)
      #expect(passage.lost == [] && passage.taken.count == 30)

      let (stream, continuation) = AsyncStream<Int>.makeStream()
      let idle = try Pipeline<Int, Int>.graph { $0.map { $0 } }.start(of: stream)
      try await idle.stop(.drain)
      withExtendedLifetime(continuation) {}
    }
  }
}
