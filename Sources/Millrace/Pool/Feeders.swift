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
  private let arrived: @Sendable (Batch) -> Void
  private let state = Lock(State())

  init(_ pull: Pull<Input>, arrived: @escaping @Sendable (Batch) -> Void) {
    self.pull = pull
    self.arrived = arrived
  }

  var readsAtOnce: Bool { true }

  func read(_ count: Int) {
    let isMine = state.withLock { state in
      state.demand = count
      defer { state.isReading = true }
      return !state.isReading
    }
    guard isMine else { return }
    while let count = nextDemand() { arrived(pull.read(count)) }
  }

  private func nextDemand() -> Int? {
    state.withLock { state in
      defer { state.demand = nil }
      if state.demand == nil { state.isReading = false }
      return state.demand
    }
  }

  func end() {}
}

/// Reads a sequence that may compute or block, on a thread of its own.
final class ThreadFeeder<Input: Sendable>: Feeding {
  private struct State {
    var demand: Int?
    var isStarted = false
    var isEnded = false
  }
  private let pull: Pull<Input>
  private let arrived: @Sendable (Batch) -> Void
  private let failed: @Sendable (any Error) -> Void
  private let state = Lock(State())
  private let bell = Bell()

  init(
    _ pull: Pull<Input>, arrived: @escaping @Sendable (Batch) -> Void, failed: @escaping @Sendable (any Error) -> Void
  ) {
    self.pull = pull
    self.arrived = arrived
    self.failed = failed
  }

  func read(_ count: Int) {
    let mustStart = state.withLock { state in
      state.demand = count
      defer { state.isStarted = true }
      return !state.isStarted
    }
    guard mustStart else { return bell.ring() }
    do {
      try startThread("millrace-input") { self.run() }
    } catch {
      failed(error)
    }
  }

  func end() {
    state.withLock { $0.isEnded = true }
    bell.ring()
  }

  private func run() {
    while true {
      let (demand, isEnded) = state.withLock { state in
        defer { state.demand = nil }
        return (state.demand, state.isEnded)
      }
      if let demand {
        arrived(pull.read(demand))
      } else if isEnded {
        return
      } else {
        bell.waitForWork()
      }
    }
  }
}

/// Reads an asynchronous sequence, in a task of its own.
final class TaskFeeder<Input: Sendable>: Feeding {
  private struct State {
    var demand: Int?
    var waiter: UnsafeContinuation<Int?, Never>?
    var isEnded = false
    var task: Task<Void, Never>?
  }
  private let state = Lock(State())

  init(
    _ pull: AsyncPull<Input>, arrived: @escaping @Sendable (Batch) -> Void,
    failed: @escaping @Sendable (any Error) -> Void
  ) {
    let task = Task {
      while let demand = await self.nextDemand() {
        do {
          arrived(try await pull.read(demand))
        } catch {
          return failed(error)
        }
      }
    }
    state.withLock { $0.task = task }
  }

  func read(_ count: Int) {
    state.withLock { state in
      if state.waiter == nil { state.demand = count }
      defer { state.waiter = nil }
      return state.waiter
    }?.resume(returning: count)
  }

  func end() {
    let (waiter, task) = state.withLock { state in
      state.isEnded = true
      defer { (state.waiter, state.task) = (nil, nil) }
      return (state.waiter, state.task)
    }
    waiter?.resume(returning: nil)
    task?.cancel()
  }

  private func nextDemand() async -> Int? {
    await withUnsafeContinuation { continuation in
      let (demand, mustWait) = state.withLock { state in
        defer { state.demand = nil }
        if state.isEnded { return (Int?.none, false) }
        if state.demand == nil { state.waiter = continuation }
        return (state.demand, state.demand == nil)
      }
      if !mustWait { continuation.resume(returning: demand) }
    }
  }
}

/// Keeps the demand until the consumer of a serial pool reads, in its own task.
final class CallerFeeder<Input: Sendable>: Feeding {
  private let reader: Reader<Input>
  private let arrived: @Sendable (Batch) -> Void
  private let failed: @Sendable (any Error) -> Void
  private let demand = Lock<Int?>(nil)

  init(
    _ reader: Reader<Input>, arrived: @escaping @Sendable (Batch) -> Void,
    failed: @escaping @Sendable (any Error) -> Void
  ) {
    self.reader = reader
    self.arrived = arrived
    self.failed = failed
  }

  var readsAtOnce: Bool { if case .inline = reader { true } else { false } }

  func read(_ count: Int) { demand.withLock { $0 = count } }
  func end() { demand.withLock { $0 = nil } }

  /// Reads what is asked for; false if nothing is.
  func readInCaller() async -> Bool {
    guard
      let count = demand.withLock({ demand in
        defer { demand = nil }
        return demand
      })
    else { return false }
    switch reader {
    case .inline(let pull), .blocking(let pull): arrived(pull.read(count))
    case .asynchronous(let pull):
      do {
        arrived(try await pull.read(count))
      } catch {
        failed(error)
      }
    }
    return true
  }
}
