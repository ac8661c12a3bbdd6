import MillraceIPC

/// Reads an input in memory: at once, where it is asked.
///
/// What was read may lead to the next demand before `read` has returned. It is served by the same loop, so the stack does
/// not grow with the window.
final class InlineFeeder<Input: Sendable>: Feeding {
  private struct State {
    var demand: Int?
    var isReading = false
  }
  private let pull: Pull<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let state = Lock(State())

  init(_ pull: Pull<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void) {
    self.pull = pull
    self.inbox = inbox
    self.report = report
  }

  var readsAtOnce: Bool { true }

  func read(_ count: Int) {
    let isMine = state.withLock { state in
      state.demand = count
      defer { state.isReading = true }
      return !state.isReading
    }
    guard isMine else { return }
    while let count = nextDemand() {
      inbox.begin(count)
      report(pull.read(into: inbox))
    }
  }

  private func nextDemand() -> Int? {
    state.withLock { state in
      defer { state.demand = nil }
      if state.demand == nil { state.isReading = false }
      return state.demand
    }
  }

  func collect() -> Batch? { nil }
  func end() {}
}

/// Reads a sequence that may compute or block, on a thread of its own.
final class ThreadFeeder<Input: Sendable>: Feeding {
  private let pull: Pull<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let gate = ReaderGate()
  private let bell = Bell()

  init(_ pull: Pull<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void) {
    self.pull = pull
    self.inbox = inbox
    self.report = report
  }

  func read(_ count: Int) {
    guard gate.ask(count) else { return bell.ring() }
    do {
      try startThread("millrace-input") { self.run() }
    } catch {
      report(.unread(error))
    }
  }

  func collect() -> Batch? { inbox.takeOrCall() }
  func collectRest() -> Batch? { inbox.takeRest() }

  func end() {
    inbox.leave()
    gate.end()
    bell.ring()
  }

  func waitUntilOut() async { await gate.waitUntilOut(orCall: {}) }
  func blockUntilOut() { gate.blockUntilOut(orCall: {}) }

  private func run() {
    while true {
      switch gate.enter() {
      case .read(let count):
        inbox.begin(count)
        var reading: Reading
        repeat {
          reading = pull.read(into: inbox)
          report(reading)
        } while reading.goesOn && !inbox.isLeft
        gate.leave()
      case .end: return
      case .wait: bell.waitForWork()
      }
    }
  }
}

/// Reads an asynchronous sequence, in a task on a thread of its own.
///
/// Not on the default executor: who leaves a loop waits for the reader where nothing can be awaited, perhaps on the only thread
/// that there is.
final class TaskFeeder<Input: Sendable>: Feeding {
  private let pull: AsyncPull<Input>
  private let inbox: Inbox<Input>
  private let report: @Sendable (Reading) -> Void
  private let gate = ReaderGate()
  private let bell = TaskBell()
  private let task = Lock<Task<Void, Never>?>(nil)

  init(_ pull: AsyncPull<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void) {
    self.pull = pull
    self.inbox = inbox
    self.report = report
  }

  func read(_ count: Int) {
    guard gate.ask(count) else { return bell.ring() }
    let thread = LaneThread()
    do {
      try startThread("millrace-input") { thread.run() }
    } catch {
      return report(.unread(error))
    }
    let task = Task(executorPreference: thread) {
      await self.run()
      thread.end()
    }
    // It may be over already, or nobody may want it any more.
    let isOver = self.task.withLock { kept in
      if !gate.isOut { kept = task }
      return gate.isOut
    }
    if isOver { task.cancel() }
  }

  private func run() async {
    while true {
      switch gate.enter() {
      case .read(let count):
        inbox.begin(count)
        var reading: Reading
        repeat {
          reading = await pull.read(into: inbox)
          // Nobody wants to know what it says of being called out of the input.
          if case .failed = reading, inbox.isLeft { reading = .ended }
          report(reading)
        } while reading.goesOn && !inbox.isLeft
        gate.leave()
      case .end: return
      case .wait: await bell.waitForRing()
      }
    }
  }

  func collect() -> Batch? { inbox.takeOrCall() }
  func collectRest() -> Batch? { inbox.takeRest() }

  func end() {
    inbox.leave()
    gate.end()
    bell.ring()
    // In the midst of items it is out by itself, and a cancelled sequence may be over for others too.
    if gate.isOut {
      task.withLock { $0 = nil }
    } else {
      Task(executorPreference: LaneThread.ofFork) { await self.waitUntilOut() }
    }
  }

  func waitUntilOut() async { await gate.waitUntilOut(orCall: cancel) }
  func blockUntilOut() { gate.blockUntilOut(orCall: cancel) }

  private func cancel() {
    let task = task.withLock { task in
      defer { task = nil }
      return task
    }
    task?.cancel()
  }
}

extension Reading {
  /// The system has no thread for the reader.
  fileprivate static func unread(_ error: any Error) -> Reading {
    .failed(WorkerPoolError(.cannotStart, "the input cannot be read", underlying: error.forUsers))
  }

  var goesOn: Bool { if case .goesOn = self { true } else { false } }
}
