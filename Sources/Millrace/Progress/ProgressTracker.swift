import MillraceIPC

/// One map whose progress is shown. Its variables are the board's.
package final class ProgressTracker: ShownProgress, @unchecked Sendable {
  // Sound: what is not constant is touched by the board's thread, what it `is` with the board's condition held.
  let style: ProgressStyle
  let counter: ProgressCounter
  private var observation: Observation?
  private let board: ProgressBoard
  private let start: UInt64
  private var estimator: RateEstimator
  /// The map, and how much of it is done in chunks that run.
  private var job: JobID?
  private let untold: @Sendable (JobID) -> Int
  /// The most that was shown of it: what was seen in a chunk is not taken back while the chunk is on its way.
  private var most = 0
  var pace: ProgressPace
  package let number = ProgressNumber.next()
  /// The pool, for the bars of its worker processes.
  let pool: ObjectIdentifier?
  /// The number of the map in whose item, in this process, this one was begun.
  let parent: Int?
  /// In a worker: the slot in whose item the map was begun.
  let slot: Int?
  /// Whether its last state was shown: nothing more will come.
  var isShown = false
  /// Whether it was shown at all.
  var isSeen = false
  /// Whether its consumer has heard of its end.
  var isOver = false

  package init(
    _ style: ProgressStyle, _ counter: ProgressCounter, observation: Observation?, board: ProgressBoard, at now: UInt64,
    pool: ObjectIdentifier? = nil, parent: Int? = nil, untold: @escaping @Sendable (JobID) -> Int = { _ in 0 }
  ) {
    self.pool = pool
    self.parent = parent
    slot = WorkerContext.current?.slot
    self.untold = untold
    self.style = style
    self.counter = counter
    self.observation = observation
    self.board = board
    start = now
    estimator = RateEstimator(at: now)
    pace = .of(style)
  }

  /// Whether nothing of it is drawn, but a reporter is told.
  var isReported: Bool { if case .custom = style.kind { true } else { false } }

  /// Whether it is to be shown while it goes on: it was already, it began when nothing else was drawn, or it has gone on for a while.
  func isWorthBar(at now: UInt64, after look: UInt64?) -> Bool {
    guard !isSeen, let look, start < look &+ ProgressBoard.interval else { return true }
    return now >= start &+ ProgressBoard.interval
  }

  /// How far it is, now.
  func state(at now: UInt64) -> ProgressState {
    let counts = counter.counts
    let time = max(start, counts.end ?? now)
    var state = ProgressState(
      name: style.name, detail: style.detail?() ?? "", unit: style.unit, done: counts.done, failed: counts.failed,
      retried: counts.retried,
      total: counts.total, elapsed: .nanoseconds(time - start), phase: counts.isHeard ? counts.phase : .running)
    if counts.end == nil, let job {
      // Asked after the counts were taken, so that nothing counts twice.
      let rest = counts.total.map { max(0, $0 - counts.failed) } ?? .max
      most = max(most, min(counts.done + untold(job), rest))
      state.done = max(counts.done, min(most, rest))
    }
    // What was known before took no time of this map's.
    let run = max(0, state.finished - counts.restored)
    estimator.record(run, at: time)
    if counts.end == nil {
      state.rate = estimator.rate(at: time)
      if let rate = state.rate, let total = state.total {
        let seconds = Double(max(0, total - state.finished)) / rate
        // At a rate of almost nothing it is no time that anybody wants to read.
        if seconds < 1e8 { state.remaining = .nanoseconds(UInt64(seconds * 1e9)) }
      }
    } else if time > start, run > 0 {
      // Over all of it, when it is over.
      state.rate = Double(run) / (Double(time - start) / 1e9)
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
    self.job = job
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
  ///
  /// - Parameter known: how many outcomes are known before the map begins.
  func tracker(_ core: PoolCore, total: Int?, known: Int = 0) -> ProgressTracker? {
    if case .none = kind { return nil }
    let counter = ProgressCounter(total: total, expected: expected, known: known)
    return ProgressTracker(
      self, counter, observation: core.observe(with: counter), board: .here, at: _monotonicNow(),
      pool: ObjectIdentifier(core), parent: Nesting.place?.progress,
      untold: { [weak core] in core?.untold(of: $0) ?? 0 })
  }
}
