import MillraceIPC

/// A run with several outputs, which begins with the first loop over one of them.
final class ForkedRun: Sendable {
  private enum Life {
    case idle
    /// Somebody begins it, and others wait for that.
    case beginning([UnsafeContinuation<Void, Never>])
    case begun(Result<PipelineEngine, any Error>)
  }
  private struct State {
    var life = Life.idle
    /// Outputs that nobody takes.
    var left: Set<Int> = []
    /// Outputs of which a loop has begun.
    var taken: Set<Int> = []
  }

  /// A place from which one of the outputs is taken: when it goes, nobody takes that.
  final class Seat: Sendable {
    private let run: ForkedRun
    let output: Int

    init(_ run: ForkedRun, _ output: Int) { (self.run, self.output) = (run, output) }
    deinit { run.leave(output) }

    var consumer: PipelineConsumer { run.consumers[output] }

    /// Begins the loop over it.
    func take() async throws -> PipelineEngine { try await run.take(output) }
  }

  private let state = Lock(State())
  private let consumers: [PipelineConsumer]
  private let begin: @Sendable ([PipelineConsumer]) throws -> PipelineEngine

  init(count: Int, _ begin: @escaping @Sendable ([PipelineConsumer]) throws -> PipelineEngine) {
    consumers = (0..<count).map { _ in PipelineConsumer(dropsOutputs: false) }
    self.begin = begin
  }

  private func take(_ output: Int) async throws -> PipelineEngine {
    let isFirst = state.withLock { $0.taken.insert(output).inserted }
    guard isFirst else {
      throw InvalidOption(
        name: "an output of a forked pipeline", value: "taken a second time",
        allowed: "taken by one loop: call outputs() again for another run")
    }
    return try await engine()
  }

  private func engine() async throws -> PipelineEngine {
    let begins = state.withLock { state in
      guard case .idle = state.life else { return false }
      state.life = .beginning([])
      return true
    }
    if begins { beginRun() }
    await withUnsafeContinuation { continuation in
      let mustWait = state.withLock { state in
        guard case .beginning(let waiters) = state.life else { return false }
        state.life = .beginning(waiters + [continuation])
        return true
      }
      if !mustWait { continuation.resume() }
    }
    guard case .begun(let result) = state.withLock({ $0.life }) else { preconditionFailure("it has begun") }
    return try result.get()
  }

  private func beginRun() {
    let result = Result { try begin(consumers) }
    let (waiters, left) = state.withLock { state in
      defer { state.life = .begun(result) }
      guard case .beginning(let waiters) = state.life else { preconditionFailure("one begins it") }
      return (waiters, state.left)
    }
    if case .success(let engine) = result {
      engine.tell { engine in for output in left { engine.left(output) } }
    }
    for waiter in waiters { waiter.resume() }
  }

  private func leave(_ output: Int) {
    let engine = state.withLock { state -> PipelineEngine? in
      state.left.insert(output)
      guard case .begun(.success(let engine)) = state.life else { return nil }
      return engine
    }
    engine?.tell { $0.left(output) }
  }
}
