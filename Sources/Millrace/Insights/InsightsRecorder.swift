import MillraceIPC

/// Folds a pool's events as they happen, so that nothing is kept of them and nothing missed.
///
/// Under the pool's lock an event is only put down. It is folded after that by whoever has stepped the pool, one thread at a time: who finds
/// another at it leaves his events to that one.
package final class InsightsRecorder: EventObserver {
  private struct Told {
    var events: [PoolEvent] = []
    var isFolding = false
  }
  private let told = Lock(Told())
  /// Events are taken only with this lock held, so that they are folded in their order.
  private let fold: Lock<InsightsFold?> = Lock(nil)
  /// As many events wait for one who folds at the most, but for those of a step.
  private static let most = 1_024

  private let slotsAreQueuePlaces: Bool

  package init(slotsAreQueuePlaces: Bool = false) { self.slotsAreQueuePlaces = slotsAreQueuePlaces }

  package var wantsMemory: Bool { true }

  /// The pool as it was before the first event.
  package func begin(_ pool: PoolSnapshot) {
    fold.withLock { $0 = InsightsFold(pool, slotsAreQueuePlaces: slotsAreQueuePlaces) }
  }

  package func accept(_ event: PoolEvent) -> PoolEvent? {
    told.withLock { $0.events.append(event) }
    return nil
  }

  package func flush() {
    while true {
      let (isMine, isTooMuch) = told.withLock { told in
        if told.events.isEmpty || told.isFolding { return (false, told.events.count > Self.most) }
        told.isFolding = true
        return (true, false)
      }
      // Faster than one thread can fold: wait for it.
      guard isMine || isTooMuch else { return }
      catchUp { _ in }
      if isMine { told.withLock { $0.isFolding = false } }
    }
  }

  /// Calls the body with what was told up to now in it.
  private func catchUp<Result>(_ body: (InsightsFold?) -> Result) -> Result {
    let (result, events) = fold.withLock { fold in
      let events = told.withLock { told in
        var events: [PoolEvent] = []
        swap(&events, &told.events)
        return events
      }
      for event in events { fold?.apply(event.event, at: event.time) }
      return (body(fold), events)
    }
    // They may hold what is a user's, and go behind the lock.
    withExtendedLifetime(events) {}
    return result
  }

  package var insights: Insights { catchUp { $0 }?.insights(at: _monotonicNow()) ?? Insights() }
  var timeline: Timeline? { catchUp { $0 }?.timeline(at: _monotonicNow()) }
}

/// A recorder, and its place in the pool.
final class InsightsPlace: Sendable {
  private let place = Lock<(recorder: InsightsRecorder, observation: Observation)?>(nil)

  var recorder: InsightsRecorder? { place.withLock { $0?.recorder } }

  func begin(_ core: PoolCore) {
    guard recorder == nil else { return }
    let recorder = InsightsRecorder(slotsAreQueuePlaces: core.abilities.contains(.sharesWorkers))
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
