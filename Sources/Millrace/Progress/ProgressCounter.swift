import MillraceIPC

/// Counts what becomes of one map's items, from the pool's events. Nothing is kept of an event, so nothing is missed.
package final class ProgressCounter: EventObserver {
  package struct Counts: Sendable, Hashable {
    package var done = 0
    package var failed = 0
    package var retried = 0
    package var read = 0
    /// Of those that are done or have failed: the ones whose outcome was known before the map began. They took none of its time.
    package var restored = 0
    /// Of those, the ones that have not come yet: they are done from the beginning.
    fileprivate var awaited = 0
    package var total: Int?
    /// How many items there are for certain, if somebody knows: one whose input ends before was cut short.
    package var expected: Int?
    /// When it was over, and how.
    package var end: UInt64?
    package var phase = ProgressState.Phase.running
    /// Whether its consumer has heard of that. Until then there may be outcomes that wait for it, and it goes on.
    package var isHeard = false
  }

  private struct State {
    /// nil: it is not known yet which map it is, and those that have begun since are counted.
    var job: JobID?
    var counts = Counts()
    var begun: [JobID: Counts] = [:]
  }
  private let state: Lock<State>

  /// - Parameter known: how many outcomes are known before the map begins.
  package init(total: Int? = nil, expected: Int? = nil, known: Int = 0) {
    var first = State()
    first.counts.awaited = known
    first.counts.total = total ?? expected
    first.counts.expected = expected
    state = Lock(first)
  }

  /// This is the map, which has begun since the counter observes the pool.
  package func follow(_ job: JobID) {
    state.withLock { state in
      state.job = job
      let known = state.counts
      state.counts = state.begun[job] ?? Counts()
      state.counts.total = state.counts.total ?? known.total
      state.counts.expected = known.expected
      state.counts.awaited = max(0, known.awaited - state.counts.restored)
      state.begun = [:]
    }
  }

  package var counts: Counts {
    var counts = state.withLock { $0.counts }
    if counts.end == nil {
      counts.done += counts.awaited
      counts.restored += counts.awaited
    }
    return counts
  }

  /// The map's consumer has heard of its end, or wants no more of it. If no event has said so, its pool was lost.
  package func isOver(at time: UInt64) {
    state.withLock { state in
      state.counts.isHeard = true
      if state.counts.end == nil { (state.counts.end, state.counts.phase) = (time, .cancelled) }
    }
  }

  package func accept(_ event: PoolEvent) -> PoolEvent? {
    guard let job = event.event.progressingJob else { return nil }
    state.withLock { state in
      if let followed = state.job {
        if followed == job { state.counts.apply(event) }
      } else {
        state.begun[job, default: Counts()].apply(event)
      }
    }
    return nil
  }
}

extension ProgressCounter.Counts {
  private mutating func restore(_ count: Int) {
    restored += count
    awaited = max(0, awaited - count)
  }

  fileprivate mutating func apply(_ event: PoolEvent) {
    switch event.event {
    case .jobBegan(_, _, _, let total): self.total = total
    case .jobRead(_, let count): read += count
    case .jobReadAll: total = max(read, expected ?? 0)
    case .itemsDone(_, let items, _, let attempt):
      done += items.count
      if attempt == 0 { restore(items.count) }
    case .itemFailed(_, let failure):
      failed += 1
      if failure.attempt == 0 { restore(1) }
    case .itemRetried: retried += 1
    case .jobEnded(_, let how, let totals):
      (done, failed, retried, read) = (totals.done, totals.failed, totals.retried, totals.read)
      end = event.time
      switch how {
      case .complete:
        total = max(read, expected ?? 0)
        phase = read < total! ? .cancelled : .complete
      case .cancelled: phase = .cancelled
      case .failed: phase = .failed
      }
    default: break
    }
  }
}

extension DispatchEvent {
  /// The job of which the event says how far it is.
  fileprivate var progressingJob: JobID? {
    switch self {
    case .jobBegan(let job, _, _, _), .jobRead(let job, _), .jobReadAll(let job), .jobEnded(let job, _, _),
      .itemsDone(let job, _, _, _), .itemFailed(let job, _), .itemRetried(let job, _, _, _, _, _):
      job
    default: nil
    }
  }
}
