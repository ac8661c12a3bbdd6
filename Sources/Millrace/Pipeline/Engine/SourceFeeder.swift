import MillraceIPC

/// Reads what a source puts, in a task on a thread of its own: a put waits until something is asked for.
///
/// The source is inside from its first put to its return. When nobody wants more, its puts throw, and its task is cancelled;
/// one that does not listen is left alone after half a second.
final class SourceFeeder<Input: Sendable>: Feeding {
  private struct State {
    /// Who has the turn, or the run that was cancelled before it got it.
    var waiters: [UnsafeContinuation<Void, Never>] = []
    var isCalled = false
    var hasStopped = false
    /// It has ended: what is put later, by somebody else, is nobody's.
    var isOver = false
    var task: Task<Void, Never>?
    /// A read is under way. Changed by whoever has the turn.
    var isReading = false
  }
  private let produce: @Sendable (Outlet<Input>) async throws -> Void
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let gate = ReaderGate()
  private let state = Lock(State())
  /// One puts at a time.
  private let turn = Turn()

  init(
    _ produce: @escaping @Sendable (Outlet<Input>) async throws -> Void, into inbox: Inbox<Input>,
    report: @escaping @Sendable (Reading) -> Void
  ) {
    self.produce = produce
    self.inbox = inbox
    self.report = report
  }

  func read(_ count: Int) {
    guard gate.ask(count) else { return call() }
    let thread = LaneThread()
    do {
      try startThread("millrace-source") { thread.run() }
    } catch {
      return report(
        .failed(WorkerPoolError(.cannotStart, "the source has no thread to run in", underlying: error.forUsers)))
    }
    let task = Task(executorPreference: thread) {
      await self.run()
      thread.end()
    }
    let isOver = state.withLock { state in
      if !gate.isOut { state.task = task }
      return gate.isOut
    }
    if isOver { task.cancel() }
  }

  private func run() async {
    var reading = Reading.ended
    if await begins() {
      let outlet = Outlet<Input>({ try await self.put($0) }, stop: { self.state.withLock { $0.hasStopped = true } })
      do {
        try await produce(outlet)
      } catch {
        // What it says of a put that nobody wanted, or after its own stop, is no news.
        if !state.withLock({ $0.hasStopped }), !inbox.isLeft { reading = .failed(error) }
      }
      // What somebody else is just putting comes before the end.
      let hasTurn = await takesTurn()
      if await begins() { report(reading) }
      state.withLock { $0.isOver = true }
      if hasTurn { _ = turn.pass() }
    }
    state.withLock { $0.task = nil }
    gate.leave()
  }

  private func takesTurn() async -> Bool {
    if turn.takeIfFree() { return true }
    return await turn.take()
  }

  private func put(_ item: Input) async throws {
    guard await takesTurn() else { throw CancellationError() }
    defer { _ = turn.pass() }
    guard !state.withLock({ $0.hasStopped || $0.isOver }), await begins() else { throw CancellationError() }
    guard let isDue = inbox.putUnlessLeft(item) else { throw CancellationError() }
    if isDue {
      let isComplete = inbox.isComplete
      if isComplete { state.withLock { $0.isReading = false } }
      report(isComplete ? .complete : .goesOn)
    }
  }

  /// Waits until something is asked for; false if nothing will be.
  private func begins() async -> Bool {
    if state.withLock({ $0.isReading }) { return !inbox.isLeft }
    while true {
      switch gate.enter() {
      case .read(let count):
        state.withLock { $0.isReading = true }
        inbox.begin(count)
        return true
      case .end: return false
      case .wait: await waitForDemand()
      }
    }
  }

  func collect() -> Batch? { inbox.takeOrCall() }
  func collectRest() -> Batch? { inbox.takeRest() }

  func end() {
    inbox.leave()
    gate.end()
    call()
    if !gate.isOut { cancel() }
  }

  /// What was put is there, and nothing more is.
  func readNoFurther() async { end() }
  func waitUntilOut() async { await gate.waitUntilOut(orCall: cancel) }
  func blockUntilOut() { gate.blockUntilOut(orCall: cancel) }

  private func cancel() {
    state.withLock { state in
      defer { state.task = nil }
      return state.task
    }?.cancel()
  }

  private func call() {
    state.withLock { state in
      state.isCalled = true
      defer { state.waiters = [] }
      return state.waiters
    }.forEach { $0.resume() }
  }

  private func waitForDemand() async {
    await withUnsafeContinuation { continuation in
      let isCalled = state.withLock { state in
        defer { state.isCalled = false }
        if !state.isCalled { state.waiters.append(continuation) }
        return state.isCalled
      }
      if isCalled { continuation.resume() }
    }
  }
}
