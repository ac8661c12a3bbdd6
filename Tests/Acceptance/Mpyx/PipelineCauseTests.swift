import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

/// Throws what a cancelled task would, though nobody has cancelled it.
private struct CancelsItself: Source {
  func produce(_ out: Outlet<Int>) async throws {
    for item in 0..<3 { try await out.put(item) }
    throw CancellationError()
  }
}

private struct CancelsItsEnd: Stage, Codable {
  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws { try await out.put(item) }
  func tearDown(_ state: consuming Void, _ out: Outlet<Int>) async throws { throw CancellationError() }
}

private final class Outlets: Sendable {
  let all = Lock<[Outlet<Int>]>([])
}

/// Keeps where it puts, for others.
private struct LendsAll: Stage {
  let outlets: Outlets

  func process(_ item: Int, state: inout Void, _ out: Outlet<Int>) async throws {
    outlets.all.withLock { $0.append(out) }
    try await out.put(item)
  }
}

private struct PutsAside: StatelessWorker, Codable {
  var channel: SideChannel<Int>

  func process(_ item: Int) async throws -> Int {
    try await channel.put(item)
    return item
  }
}

private struct FailsAside: StatelessWorker, Codable {
  func process(_ item: Int) throws -> Int {
    if item == 50 { throw Refused(item: item) }
    return item
  }
}

extension Checked {
  /// What ends a run is told as what it is.
  @Suite(.timeLimit(.minutes(1))) struct PipelineCauses {
    @Test("U312: a source that throws CancellationError has failed")
    func source() async throws {
      let pipeline: Pipeline<Nothing, Int> = Pipeline { CancelsItself() }
      for verb in 0..<3 {
        let error = await #expect(throws: PipelineError.self) {
          switch verb {
          case 0: _ = try await pipeline.list()
          case 1: try await pipeline.run()
          default: try await pipeline.start().wait()
          }
        }
        #expect(error?.kind == .sourceFailed && error?.underlying is CancellationError)
      }
      let input = AsyncThrowingStream<Int, any Error> { $0.finish(throwing: CancellationError()) }
      let error = await #expect(throws: PipelineError.self) {
        try await Pipeline<Int, Int>.graph { $0.map { $0 } }.list(of: input)
      }
      #expect(error?.kind == .sourceFailed && error?.underlying is CancellationError)
    }

    @Test("U312: so has a tear-down", arguments: Backends.all)
    func tearDown(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        let pipeline: Pipeline<Nothing, Int> = Pipeline {
          Items(0..<3)
          CancelsItsEnd()
        }
        let run = try pipeline.start(on: pool)
        let error = await #expect(throws: PipelineError.self) { try await run.wait() }
        #expect(error?.kind == .tearDownFailed && error?.stage.name == "CancelsItsEnd")
        await #expect(throws: PipelineError.self) { try await run.stop(.drain) }
        #expect(run.state == .failed)
      }
    }

    @Test("U312: a run that is cancelled ends with that, and with nothing else")
    func cancelled() async throws {
      let began = AsyncStream<Void>.makeStream()
      let pipeline: Pipeline<Nothing, Int> = Pipeline {
        EndlessCount()
        Tap("See") { (_: Int) in began.continuation.finish() }
        CancelsItsEnd()
      }
      let task = Task { try await pipeline.run() }
      for await _ in began.stream {}
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("U313: what a stage is asked to put when its process has returned is refused")
    func latePuts() async throws {
      let outlets = Outlets()
      let pipeline = Pipeline { Items(0..<3) }.stage(LendsAll(outlets: outlets))
      let found = try await pipeline.list()
      #expect(found == [0, 1, 2])
      let kept = outlets.all.withLock { $0 }
      #expect(kept.count == 3)
      for outlet in kept { await #expect(throws: CancellationError.self) { try await outlet.put(9) } }
    }

    @Test("U313: while the run goes on, too")
    func latePutsMeanwhile() async throws {
      let outlets = Outlets()
      let (stream, continuation) = AsyncStream<Int>.makeStream()
      let pipeline = Pipeline<Int, Int>.graph { $0.map { $0 } }.stage(LendsAll(outlets: outlets))
      var outputs = pipeline.outputs(of: stream).makeAsyncIterator()
      continuation.yield(1)
      #expect(try await outputs.next() == 1)
      await #expect(throws: CancellationError.self) { try await outlets.all.withLock { $0[0] }.put(9) }
      continuation.yield(2)
      continuation.finish()
      #expect(try await outputs.next() == 2)
      #expect(try await outputs.next() == nil)
    }

    @Test("U314: what fails in a side channel is told with its name", arguments: Backends.all.able(.sharesObjects))
    func channelFails(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for policy in [MapOptions.FailurePolicy.failFast, .skip] {
          let channel = SideChannel<Int>("database", capacity: 2) { Pipeline<Int, Int> { FailsAside() } }
          let pipeline = Pipeline<Int, Int> { PutsAside(channel: channel) }.using(channel)
            .options(StageOptions(onFailure: policy))
          let error = await #expect(throws: PipelineError.self) { try await pipeline.list(of: 0..<2_000, on: pool) }
          #expect(error?.kind == .sideChannelFailed && error?.stage.name == "database")
          let failure = try #require(error?.underlying as? ItemFailure)
          #expect(failure.stage?.name == "FailsAside" && "\(error!)".contains("side channel database"))
        }
      }
    }

    @Test(
      "U315: a channel that no run uses ends the run with that, wherever it is, and nothing skips it",
      arguments: Backends.all.able(.sharesObjects))
    func unusedChannel(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        for policy in [MapOptions.FailurePolicy.failFast, .skip, .collect] {
          let channel = SideChannel<Int>("database") { Pipeline<Int, Int> { FailsAside() } }
          let pipeline = Pipeline<Int, Int> { PutsAside(channel: channel) }.options(StageOptions(onFailure: policy))
          let error = await #expect(throws: PipelineError.self) { try await pipeline.list(of: 0..<10, on: pool) }
          #expect(error?.kind == .sideChannelUnused && error?.stage.name == "database")
        }
      }
    }
  }
}
