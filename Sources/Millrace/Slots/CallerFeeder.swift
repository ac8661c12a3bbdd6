import MillraceIPC

/// Keeps the demand until the consumer of a serial pool reads.
///
/// Nobody else could work on what was read while it waits for more: what may wait is read item by item. What can be awaited is read in a
/// task of its own, which has the context of the consumer's: who waits for the next item is there for the outcomes that others' turns
/// bring meanwhile.
final class CallerFeeder<Input: Sendable>: Feeding {
  private struct State {
    var demand: Int?
    /// Whether there is something to be read, and nobody at it.
    var isAsked = false
    /// Whether somebody is in the input.
    var isTaken = false
    var isOver = false
    var task: Task<Void, Never>?
  }
  private let reader: Reader<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  /// Told of when the input may be gone into again.
  private let news: News
  private let gate: ReaderGate?
  /// Whether who leaves waits for what is just read: not where he may be the one who reads.
  private let mayBeAwaited: Bool
  private let state = Lock(State())

  init(
    _ reader: Reader<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void,
    news: News
  ) {
    self.reader = reader
    self.inbox = inbox
    self.report = report
    self.news = news
    gate =
      switch reader {
      case .isolated, .asynchronous, .blocking: ReaderGate()
      default: nil
      }
    mayBeAwaited = if case .blocking = reader { false } else { true }
  }

  var readsAtOnce: Bool { if case .inline = reader { true } else { false } }

  func read(_ count: Int) {
    state.withLock { state in
      state.demand = count
      state.isAsked = true
    }
  }

  func collect() -> Batch? { nil }
  func collectRest() -> Batch? { inbox.takeRest() }

  func end() {
    state.withLock { $0.isOver = true }
    inbox.leave()
    gate?.end()
    if mayBeAwaited, gate?.isOut == false {
      Task(executorPreference: LaneThread.ofFork) { await self.waitUntilOut() }
    }
  }

  func waitUntilOut() async { if mayBeAwaited { await gate?.waitUntilOut(orCall: cancel) } }
  func blockUntilOut() { if mayBeAwaited { gate?.blockUntilOut(orCall: cancel) } }

  func readNoFurther() async {
    end()
    await gate?.waitUntilOut(orCall: cancel)
  }

  private func cancel() { state.withLock { $0.task }?.cancel() }

  func readInCaller(mayBlock: @autoclosure () -> Bool) -> Bool {
    switch reader {
    case .inline(let pull): return readAtOnce(pull)
    case .blocking(let pull): return mayBlock() && readAtOnce(pull)
    case .isolated(let pull): readInTask { inbox in await pull.read(into: inbox, on: pull.actor) }
    case .asynchronous(let pull): readInTask { inbox in await pull.read(into: inbox) }
    case .produced, .pushed: preconditionFailure("a source and an edge are feeders themselves")
    }
    return false
  }

  private func readAtOnce(_ pull: Pull<Input>) -> Bool {
    guard goIn() else { return false }
    comeOut(with: pull.read(into: inbox))
    return true
  }

  private func readInTask(_ read: @escaping @Sendable (Inbox<Input>) async -> Reading) {
    guard goIn() else { return }
    // Under the lock, so that it is there before its end.
    state.withLock { state in
      state.task = Task(executorPreference: LaneThread.ofFork) { [self, inbox] in
        comeOut(with: await read(inbox))
        news.tell()
      }
    }
  }

  /// Goes into the input for what is asked for, or the next item of it; false if nothing is, or somebody is there.
  private func goIn() -> Bool {
    let (demand, isMine) = state.withLock { state -> (Int?, Bool) in
      guard state.isAsked, !state.isTaken, !state.isOver else { return (nil, false) }
      state.isAsked = false
      state.isTaken = true
      defer { state.demand = nil }
      return (state.demand, true)
    }
    guard isMine else { return false }
    if let gate {
      _ = gate.ask(1)
      guard case .read = gate.enter() else { return false }
    }
    if let demand { inbox.begin(demand) }
    inbox.call()
    return true
  }

  private func comeOut(with reading: Reading) {
    gate?.leave()
    var reading = reading
    // Nobody wants to know what it says of being called out of the input.
    if case .failed = reading, inbox.isLeft { reading = .ended }
    // It may bring the next demand.
    report(reading)
    // Not before: what was read is taken with the report, and whoever goes in meanwhile would not be called.
    state.withLock { state in
      if state.task != nil { state.task = nil }
      state.isTaken = false
      if reading.goesOn { state.isAsked = true }
    }
  }
}
