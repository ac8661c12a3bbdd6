#if Observability
public import Millrace
import MillraceIPC
public import Tracing

extension WorkerPool {
  /// Traces the maps that begin from now on, with swift-distributed-tracing: spans `millrace.map`, `millrace.chunk` and `millrace.item`, each inside
  /// the one before, and the first inside whatever span its caller is in. See "Observability" in the documentation.
  ///
  /// Items see the span that they are in as `ServiceContext.current`, on all backends. To worker processes, and to agents on other machines and
  /// theirs, goes what the instruments put into a carrier, as if the worker were another service; it has to have the same instruments to take
  /// it out again: `telemetry`.
  ///
  /// A second call is for the maps that begin after it. A pool that is not traced pays nothing.
  ///
  /// - Parameters:
  ///   - detail: How many spans are made.
  ///   - tracer: What makes them in this process. Default: that of `InstrumentationSystem` where the map begins.
  ///   - telemetry: What bootstraps a tracer in worker processes. Without it, and without a tracer of their own, there are no spans of items
  ///     there, and items see no context.
  /// - Throws: ``InvalidOption`` if a worker process could not find the type by its name: a private or local type that is generic.
  public func trace(
    _ detail: TraceDetail = .chunks, with tracer: (any Tracer)? = nil,
    inWorkers telemetry: (any WorkerTelemetry.Type)? = nil
  ) throws(InvalidOption) {
    var name: [UInt8] = []
    if let telemetry {
      guard let reference = TypeReference(telemetry) else {
        throw InvalidOption(
          name: "inWorkers", value: "\(telemetry)",
          allowed: "a type that is neither private and generic nor local and generic")
      }
      name = reference.bytes
    }
    trace(detail, tracer, telemetry: name)
  }

  private func trace(_ detail: TraceDetail, _ tracer: (any Tracer)?, telemetry: [UInt8]) {
    let companion = PoolTracer(detail, tracer, telemetry: telemetry)
    if detail != .context { company.keep(observe(with: companion) { companion.begin($0) }) }
    company.join(companion) { $0.trace(detail, tracer, telemetry: telemetry) }
  }
}
#endif
