#if Observability
import Millrace
import MillraceIPC

/// Tells metrics what happens in a pool.
///
/// Under the pool's lock an event is only put down. Whoever has stepped the pool folds what was put down, under a lock of ours, and tells the
/// handlers, which are a user's, under none. Counters and timers may be told by several at once; gauges are set by one at a time, who looks
/// again before he leaves, so that what stands there is what came last.
final class MetricsRecorder: EventObserver {
  private struct Gauges {
    var told: PoolLevels?
    var isBusy = false
  }
  private let told = Lock<[PoolEvent]>([])
  private let fold: Lock<MetricsFold?> = Lock(nil)
  private let gauges = Lock(Gauges())
  private let instruments: PoolInstruments

  private let setsGauges: Bool

  init(_ instruments: PoolInstruments, setsGauges: Bool = true) {
    self.instruments = instruments
    self.setsGauges = setsGauges
  }

  /// The pool as it was before the first event.
  func begin(_ pool: PoolSnapshot) { fold.withLock { $0 = MetricsFold(pool) } }

  var wantsMemory: Bool { true }

  func accept(_ event: PoolEvent) -> PoolEvent? {
    told.withLock { $0.append(event) }
    return nil
  }

  func flush() {
    let (news, events) = fold.withLock { fold in
      let events = told.withLock { told in
        var events: [PoolEvent] = []
        swap(&events, &told)
        return events
      }
      if events.isEmpty { return (nil as PoolNews?, events) }
      for event in events { fold?.apply(event.event, at: event.time) }
      return (fold?.takeNews(), events)
    }
    // They may hold what is a user's, and go behind the lock.
    withExtendedLifetime(events) {}
    guard let news else { return }
    Unlocked.expect("a metric's handler")
    instruments.tell(news)
    setGauges()
  }

  /// The pool is as it is from now on, and at its end nothing is left in it.
  func setGauges() {
    guard setsGauges else { return }
    while true {
      let levels = fold.withLock { $0?.levels } ?? PoolLevels()
      let before = gauges.withLock { gauges -> PoolLevels?? in
        if gauges.isBusy || gauges.told == levels { return nil }
        gauges.isBusy = true
        return .some(gauges.told)
      }
      guard let before else { return }
      instruments.tell(levels, after: before)
      gauges.withLock { $0 = Gauges(told: levels, isBusy: false) }
    }
  }

  func end() { flush() }
}
#endif
