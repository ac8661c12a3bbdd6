#if Observability
import Millrace
import MillraceIPC
import Tracing

/// Around the items of a chunk in this process: they see the chunk's context, and each has a span, if that is wanted.
struct Surroundings: ChunkSurroundings {
  let context: ServiceContext
  let tracer: any Tracer
  let instrument: any Instrument
  let surroundsItems: Bool
  let telemetry: [UInt8]

  var baggage: Baggage {
    var values: [String: String] = [:]
    instrument.inject(context, into: &values, using: TextCarrier())
    let sent = SentContext.bytes(values, surroundsItems: surroundsItems, telemetry: telemetry)
    return Baggage(SentContext.self, sent) ?? Baggage()
  }

  func around<Result>(_ body: () async throws -> Result) async rethrows -> Result {
    try await ServiceContext.$current.withValue(context) { try await body() }
  }

  func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd {
    let span = tracer.startSpan("millrace.item", context: context, ofKind: .internal, at: DefaultTracerClock.now)
    span.updateAttributes { attributes in
      attributes["millrace.item"] = index
      attributes["millrace.attempt"] = attempt
    }
    let end = await ServiceContext.$current.withValue(span.context) { await body() }
    switch end {
    case .finished: break
    case .threw(let error):
      span.recordError(error)
      span.setStatus(SpanStatus(code: .error, message: "\(error)"))
    case .abandoned: span.setStatus(SpanStatus(code: .error, message: "not wanted any more"))
    }
    span.end()
    return end
  }
}

/// What instruments put into a dictionary, and take out of it.
struct TextCarrier: Injector, Extractor {
  func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) { carrier[key] = value }
  func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
}
#endif
