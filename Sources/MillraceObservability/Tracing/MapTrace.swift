#if Observability
import Millrace
import MillraceIPC
import Tracing

/// What goes along with one map: its span, and the context of its items.
final class MapTrace: MapCompanion {
  /// Weak, for it keeps the map's span until that is over.
  private weak let pool: PoolTracer?
  private let detail: TraceDetail
  private let tracer: any Tracer
  private let instrument: any Instrument
  private let context: ServiceContext
  private let span: (any Span)?
  private let telemetry: [UInt8]

  init(
    _ pool: PoolTracer, _ tracer: any Tracer, _ instrument: any Instrument, _ context: ServiceContext, span: (any Span)?
  ) {
    self.pool = pool
    (detail, telemetry) = (pool.detail, pool.telemetry)
    (self.tracer, self.instrument, self.context, self.span) = (tracer, instrument, context, span)
  }

  // Spans and contexts are a user's.
  deinit { Unlocked.release((span, context, tracer, instrument)) }

  func belongs(to job: JobID) { if let span { pool?.mapBegins(job, span) } }

  func refused(_ error: any Error) {
    guard let span else { return }
    span.recordError(error)
    span.setStatus(SpanStatus(code: .error, message: "\(error)"))
    span.end()
  }

  func surroundings(ofChunk id: Int) -> any ChunkSurroundings {
    Unlocked.expect("a span")
    return Surroundings(
      context: chunkContext(id), tracer: tracer, instrument: instrument, surroundsItems: detail == .items,
      telemetry: telemetry)
  }

  /// Begins the chunk's span, if it has one.
  private func chunkContext(_ id: Int) -> ServiceContext {
    guard detail == .chunks || detail == .items, let pool, let part = pool.part(id) else { return context }
    let span = tracer.startSpan("millrace.chunk", context: context, ofKind: .internal, at: pool.now)
    span.updateAttributes { attributes in
      attributes["millrace.slot"] = part.slot
      attributes["millrace.items.first"] = part.items.lowerBound
      attributes["millrace.items.count"] = part.items.count
      attributes["millrace.attempt"] = part.attempt
    }
    pool.chunkBegins(id, span)
    return span.context
  }
}
#endif
