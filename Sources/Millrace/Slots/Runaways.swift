package import Logging
import MillraceIPC

/// Code of a worker in this process that was given up: nobody can end it.
package final class Runaway: Sendable {
  fileprivate enum State { case isRunning, isKnown, hasEnded }

  let what: String
  let slot: Int
  /// Whose it is, if that is to be said.
  private let worker: WorkerRecord?
  fileprivate let since = _monotonicNow()
  fileprivate let state = Lock(State.isRunning)

  init(_ what: String, slot: Int, of worker: WorkerRecord? = nil) {
    self.what = what
    self.slot = slot
    self.worker = worker
  }

  fileprivate var metadata: Logger.Metadata {
    var metadata: Logger.Metadata = ["slot": "\(slot)"]
    if let who = worker?.name() { metadata[who.key] = "\(who.name)" }
    return metadata
  }

  fileprivate var age: Duration { .nanoseconds(_monotonicNow() &- since) }
}

/// Watches code that was given up. Most of it ends as soon as it sees that it was cancelled, which is worth no line: only
/// what still runs a moment later is told of, once, and once more when it ends after all.
package final class Runaways: Sendable {
  private struct State {
    var all: [Runaway] = []
    var changes: UInt64 = 0
    var isClosed = false
    /// From the first on that is to be told of, which most pools never have.
    var alarm: Alarm?
  }

  private static let patience: UInt64 = 500_000_000

  private let logger: Logger
  private let state = Lock(State())

  package init(logger: Logger) { self.logger = logger }

  func watch(_ runaway: Runaway) {
    if runaway.state.withLock({ $0 == .hasEnded }) { return }
    Unlocked.expect("a log handler")
    logger.debug("\(runaway.what) is given up", metadata: runaway.metadata)
    change { $0.all.append(runaway) }
    // It may have ended before it was in the list.
    if runaway.state.withLock({ $0 == .hasEnded }) { forget(runaway) }
  }

  /// The code has come to its end.
  func hasEnded(_ runaway: Runaway) {
    let wasKnown = runaway.state.withLock { state in
      defer { state = .hasEnded }
      return state == .isKnown
    }
    forget(runaway)
    guard wasKnown else { return }
    Unlocked.expect("a log handler")
    logger.info(
      "\(runaway.what), which was given up, has ended after \(runaway.age)", metadata: runaway.metadata)
  }

  /// The pool has ended: the alarm ends when nothing is left to be told of.
  func close() { change { $0.isClosed = true } }

  private func forget(_ runaway: Runaway) { change { $0.all.removeAll { $0 === runaway } } }

  private func timeHasCome() {
    let due = change { state in
      let now = _monotonicNow()
      defer { state.all.removeAll { $0.since &+ Self.patience <= now } }
      return state.all.filter { $0.since &+ Self.patience <= now }
    }
    for runaway in due {
      let isRunning = runaway.state.withLock { state in
        if state == .isRunning { state = .isKnown }
        return state == .isKnown
      }
      guard isRunning else { continue }
      logger.warning(
        "\(runaway.what) was given up \(runaway.age) ago, but its code runs on until it looks at Task.isCancelled",
        metadata: runaway.metadata)
    }
  }

  @discardableResult
  private func change<Result>(_ body: (inout State) -> Result) -> Result {
    let (result, alarm, time, change, mustEnd) = state.withLock { state in
      let result = body(&state)
      state.changes += 1
      let time = state.all.map { $0.since &+ Self.patience }.min()
      if time != nil, state.alarm == nil { state.alarm = makeAlarm() }
      return (result, state.alarm, time, state.changes, state.isClosed && state.all.isEmpty)
    }
    alarm?.set(time, change)
    if mustEnd { alarm?.end() }
    return result
  }

  private func makeAlarm() -> Alarm {
    let alarm = Alarm()
    // A lane whose code runs holds this.
    alarm.onTime = { [weak self] in self?.timeHasCome() }
    return alarm
  }
}
