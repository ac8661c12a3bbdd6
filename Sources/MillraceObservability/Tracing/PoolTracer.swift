#if Observability
import Millrace
import MillraceIPC
import Synchronization
import Tracing

/// Makes the spans of a pool's maps and chunks, and ends them when the pool's events say so.
///
/// Under the pool's lock an event is only put down, as for metrics. Spans are a user's: they are begun where a map or chunk begins, and ended by
/// whoever has stepped the pool, with no lock held. All that is said of one is said when it is over, at once, so it does not matter who
/// comes first.
final class PoolTracer: PoolCompanion, EventObserver {
  let detail: TraceDetail
  private let tracer: (any Tracer)?
  /// The name of the type that is to bootstrap a tracer in worker processes; empty: none is.
  let telemetry: [UInt8]
  private let told = Lock<[PoolEvent]>([])
  private let fold: Lock<TraceFold?> = Lock(nil)
  private let lastEpoch = Atomic<UInt64>(0)

  init(_ detail: TraceDetail, _ tracer: (any Tracer)?, telemetry: [UInt8]) {
    (self.detail, self.tracer, self.telemetry) = (detail, tracer, telemetry)
  }

  deinit {
    let rest = fold.withLock { $0?.takeRest(at: MonotonicTime.now) } ?? []
    if rest.isEmpty { return }
    let epoch = epoch
    func end() { for finished in rest { finished.end(epoch) } }
    if Unlocked.isSo { end() } else { Unlocked.later(end) }
  }

  /// The pool as it was before the first event.
  func begin(_ pool: PoolSnapshot) {
    fold.withLock { $0 = TraceFold(pool, hasChunks: detail == .chunks || detail == .items) }
  }

  var now: DefaultTracerClock.Timestamp {
    DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: MonotonicTime.now &+ epoch)
  }

  /// What is to be added to the pool's time to have that of spans. The same as before, as long as nobody has set the clock.
  private var epoch: UInt64 {
    let epoch = DefaultTracerClock.now.nanosecondsSinceEpoch &- MonotonicTime.now
    let last = lastEpoch.load(ordering: .relaxed)
    if Int64(bitPattern: epoch &- last).magnitude < 1_000_000 { return last }
    lastEpoch.store(epoch, ordering: .relaxed)
    return epoch
  }

  // MARK: Spans

  func companion(of map: MapDescription) -> any MapCompanion {
    let tracer = tracer ?? InstrumentationSystem.tracer
    let instrument: any Instrument = self.tracer ?? InstrumentationSystem.instrument
    let parent = ServiceContext.current ?? .topLevel
    if detail == .context { return MapTrace(self, tracer, instrument, parent, span: nil) }
    let span = tracer.startSpan("millrace.map", context: parent, ofKind: .internal, at: now)
    span.updateAttributes { attributes in
      attributes["millrace.worker"] = map.worker
      attributes["millrace.backend"] = map.backend
      if let total = map.total { attributes["millrace.items.total"] = total }
    }
    return MapTrace(self, tracer, instrument, span.context, span: span)
  }

  func mapBegins(_ job: JobID, _ span: any Span) { fold.withLock { $0?.mapBegins(job, span) } }

  /// The chunk, if it is at a slot.
  func part(_ chunk: Int) -> TraceFold.Part? {
    // Whoever gave it to a slot may not have come to that yet.
    flush()
    return fold.withLock { $0?.part(chunk) }
  }

  func chunkBegins(_ chunk: Int, _ span: any Span) {
    if fold.withLock({ $0?.chunkBegins(chunk, span) }) != true { span.end(at: now) }
  }

  // MARK: Events

  func accept(_ event: PoolEvent) -> PoolEvent? {
    told.withLock { $0.append(event) }
    return nil
  }

  func flush() {
    let (finished, events) = fold.withLock { fold in
      let events = told.withLock { told in
        var events: [PoolEvent] = []
        swap(&events, &told)
        return events
      }
      for event in events { fold?.apply(event.event, at: event.time) }
      return (fold?.takeFinished() ?? [], events)
    }
    // They may hold what is a user's, and go behind the lock.
    withExtendedLifetime(events) {}
    if finished.isEmpty { return }
    Unlocked.expect("a span's end")
    for finished in finished { finished.end(epoch) }
  }

  func end() {
    flush()
    let rest = fold.withLock { $0?.takeRest(at: MonotonicTime.now) } ?? []
    for finished in rest { finished.end(epoch) }
  }
}
#endif
