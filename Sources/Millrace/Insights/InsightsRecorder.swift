import MillraceIPC

/// Folds a pool's events as they happen, so that nothing is kept of them and nothing missed.
final class InsightsRecorder: EventObserver {
  private let fold: Lock<InsightsFold?> = Lock(nil)

  /// The pool as it was before the first event.
  func begin(_ pool: PoolSnapshot) { fold.withLock { $0 = InsightsFold(pool) } }

  func accept(_ event: PoolEvent) -> PoolEvent? {
    fold.withLock { $0?.apply(event.event, at: event.time) }
    return nil
  }

  var insights: Insights { fold.withLock { $0 }?.insights(at: _monotonicNow()) ?? Insights() }
  var timeline: Timeline? { fold.withLock { $0 }?.timeline(at: _monotonicNow()) }
}

/// A recorder, and its place in the pool.
final class InsightsPlace: Sendable {
  private let place = Lock<(recorder: InsightsRecorder, observation: Observation)?>(nil)

  var recorder: InsightsRecorder? { place.withLock { $0?.recorder } }

  func begin(_ core: PoolCore) {
    guard recorder == nil else { return }
    let recorder = InsightsRecorder()
    let observation = core.observe(with: recorder) { recorder.begin($0) }
    // Whoever comes second has recorded for nothing, and lets go of it behind the lock.
    let second = place.withLock { place -> Observation? in
      if place != nil { return observation }
      place = (recorder, observation)
      return nil
    }
    withExtendedLifetime(second) {}
  }
}

extension WorkerPool {
  /// Records where the workers' time goes, from now on; what has happened before is not known. Once for a pool; more often changes nothing.
  ///
  /// Workers start with the pool's first map, so before that all of it is recorded. It costs some microseconds a chunk, and a pool that
  /// does not record pays nothing.
  public func recordInsights() { insightsPlace.begin(core) }

  /// Where the workers' time has gone, up to now, also after the pool has ended. Empty if nobody has asked for it
  /// (``recordInsights()``).
  public var insights: Insights { insightsPlace.recorder?.insights ?? Insights() }

  /// What each worker did when, as a picture (SVG): start-up, set-up, items, waiting, tear-down, crashes. Of the first 64 slots; nil if
  /// nobody has asked for it (``recordInsights()``).
  public func timelineSVG() -> String? { insightsPlace.recorder?.timeline?.svg() }

  /// A letter for each slot, in the order of slots: `.` begins or is set up, `i` waits for input, `R` runs, `$` has finished, `X` has no
  /// worker any more, after one that was there, until another comes. Spare slots for maps inside items are left out.
  public var stateLine: String { snapshot.stateLine }

  /// The pool in words, as it is now: its slots with what they are at, and its maps with how far they are.
  public func describe() -> String { snapshot.words }
}
