import MillraceIPC

/// One map whose progress is shown. Its variables are the board's.
package final class ProgressTracker: @unchecked Sendable {
  // Sound: what is not constant is touched by the board's thread, `isShown` with the board's condition held.
  let style: ProgressStyle
  let counter: ProgressCounter
  private var observation: Observation?
  private let board: ProgressBoard
  private let start: UInt64
  private var estimator: RateEstimator
  var pace: ProgressPace
  /// Whether its last state was shown: nothing more will come.
  var isShown = false

  package init(
    _ style: ProgressStyle, _ counter: ProgressCounter, observation: Observation?, board: ProgressBoard, at now: UInt64
  ) {
    self.style = style
    self.counter = counter
    self.observation = observation
    self.board = board
    start = now
    estimator = RateEstimator(at: now)
    pace = if case .json = style.kind { .json } else { .lines }
  }

  /// How far it is, now.
  func state(at now: UInt64) -> ProgressState {
    let counts = counter.counts
    let time = max(start, counts.end ?? now)
    var state = ProgressState(
      name: style.liveName?() ?? style.name, unit: style.unit, done: counts.done, failed: counts.failed,
      retried: counts.retried,
      total: counts.total, elapsed: .nanoseconds(time - start), phase: counts.isHeard ? counts.phase : .running)
    estimator.record(state.finished, at: time)
    if counts.end == nil {
      state.rate = estimator.rate(at: time)
      if let rate = state.rate, let total = state.total {
        let seconds = Double(max(0, total - state.finished)) / rate
        // At a rate of almost nothing it is no time that anybody wants to read.
        if seconds < 1e8 { state.remaining = .nanoseconds(UInt64(seconds * 1e9)) }
      }
    } else if time > start, state.finished > 0 {
      // Over all of it, when it is over.
      state.rate = Double(state.finished) / (Double(time - start) / 1e9)
    }
    return state
  }

  /// The program stood still for so long.
  func standstill(_ nanoseconds: UInt64) { estimator.standstill(nanoseconds) }

  /// Its last state was shown, or never will be: the pool need not tell it anything more.
  func endObservation() { observation = nil }

  // MARK: What the map says

  /// The map is this one, and has begun.
  package func follow(_ job: JobID) {
    counter.follow(job)
    board.add(self)
  }

  /// The map is over; waits until that is shown, so that what the program writes next comes after it.
  package func finish() async {
    counter.isOver(at: _monotonicNow())
    await board.waitUntilShown(self)
  }

  /// The same where one cannot wait for long.
  package func leave() {
    counter.isOver(at: _monotonicNow())
    board.waitUntilShown(self, limit: 250_000_000)
  }
}

extension ProgressStyle {
  /// What shows a map of the pool that is about to begin; nil if nothing does.
  func tracker(_ core: PoolCore, total: Int?) -> ProgressTracker? {
    if case .none = kind { return nil }
    // A worker process: the locks and threads of the board may be its parent's.
    guard Nesting.processDepth == 0 else { return nil }
    let counter = ProgressCounter(total: total ?? expected)
    return ProgressTracker(
      self, counter, observation: core.observe(with: counter), board: .shared, at: _monotonicNow())
  }
}
