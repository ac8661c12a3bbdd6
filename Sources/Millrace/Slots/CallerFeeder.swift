import MillraceIPC

/// Keeps the demand until the consumer of a serial pool reads, in its own task.
///
/// Nobody else could work on what was read while it waits for more: what may wait is read item by item. The wait for an
/// asynchronous item is in a task of its own, which has the context of the consumer's, so that it ends when the job does.
final class CallerFeeder<Input: Sendable>: Feeding {
  private struct State {
    var demand: Int?
    var isReading = false
    /// Whether one of the consumers is in the input.
    var isTaken = false
    var task: Task<Void, Never>?
    var answer: Answer?
  }
  private let reader: Reader<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let gate = ReaderGate()
  private let state = Lock(State())

  init(_ reader: Reader<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void) {
    self.reader = reader
    self.inbox = inbox
    self.report = report
  }

  var readsAtOnce: Bool { if case .inline = reader { true } else { false } }

  func read(_ count: Int) {
    state.withLock { state in
      state.demand = count
      state.isReading = true
    }
  }

  func collect() -> Batch? { nil }

  func end() {
    let answer = state.withLock { state in
      state.isReading = false
      return state.answer
    }
    gate.end()
    guard let answer, !gate.isOut else { return }
    Task.detached {
      await self.gate.waitUntilOut(orCall: self.cancel)
      answer.give(nil)
    }
  }

  private func cancel() { state.withLock { $0.task }?.cancel() }

  /// Reads what is asked for, or the next item of it; false if nothing is.
  func readInCaller() async -> Bool {
    let (demand, isMine) = state.withLock { state -> (Int?, Bool) in
      guard state.isReading, !state.isTaken else { return (nil, false) }
      state.isTaken = true
      defer { state.demand = nil }
      return (state.demand, true)
    }
    guard isMine else { return false }
    if let demand { inbox.begin(demand) }
    inbox.call()
    let found: Reading? =
      switch reader {
      case .inline(let pull), .blocking(let pull): pull.read(into: inbox)
      case .isolated(let pull): await pull.read(into: inbox, on: pull.actor)
      case .asynchronous(let pull): await read(pull)
      case .produced, .pushed: preconditionFailure("a source and an edge are feeders themselves")
      }
    // The report may bring the next demand.
    state.withLock { state in
      state.isTaken = false
      if found?.goesOn == false { state.isReading = false }
    }
    guard let reading = found else { return true }
    report(reading)
    return true
  }

  /// Nil if the job has ended, and the reader was left where it is.
  private func read(_ pull: AsyncPull<Input>) async -> Reading? {
    // In a worker process, which may be a fork of a program, there is perhaps no executor but the caller's.
    if Nesting.processDepth > 0 { return await pull.read(into: inbox) }
    _ = gate.ask(1)
    let answer = Answer()
    state.withLock { $0.answer = answer }
    guard case .read = gate.enter() else { return nil }
    state.withLock { state in
      state.task = Task { [inbox, gate] in
        let reading = await pull.read(into: inbox)
        gate.leave()
        answer.give(reading)
      }
    }
    let reading = await answer.value
    state.withLock { ($0.task, $0.answer) = (nil, nil) }
    return reading
  }
}

/// What has come of a read, or that nobody waits for it any more: the first of both.
private final class Answer: Sendable {
  private struct State {
    var reading: Reading??
    var waiter: UnsafeContinuation<Reading?, Never>?
  }
  private let state = Lock(State())

  func give(_ reading: Reading?) {
    let waiter = state.withLock { state -> UnsafeContinuation<Reading?, Never>? in
      guard state.reading == nil else { return nil }
      state.reading = .some(reading)
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: reading)
  }

  var value: Reading? {
    get async {
      await withUnsafeContinuation { continuation in
        let given = state.withLock { state in
          if state.reading == nil { state.waiter = continuation }
          return state.reading
        }
        if let given { continuation.resume(returning: given) }
      }
    }
  }
}
