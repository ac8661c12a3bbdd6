#if Observability
/// How much of a pool's maps is traced.
public enum TraceDetail: Int, Sendable, Hashable, CaseIterable {
  /// No spans: the context of a map's caller goes to its items, and no more.
  case context
  /// A span for each map.
  case maps
  /// And one for each chunk, inside its map's.
  case chunks
  /// And one for each item, inside its chunk's: items are run one by one then, which costs some microseconds each.
  case items
}

/// What a worker process begins with, if spans are to be made there: it runs nothing of the program's `main`.
///
/// ```swift
/// enum Telemetry: WorkerTelemetry {
///   static func start() { InstrumentationSystem.bootstrap(MyTracer()) }
/// }
/// ```
public protocol WorkerTelemetry {
  /// Bootstraps what the program has bootstrapped: the tracer, and perhaps metrics and logging.
  ///
  /// Called once in each worker process, before the first traced chunk, unless there is a tracer already: as in one that was forked from a
  /// program which has one, or whose worker has seen to it in its set-up.
  static func start()
}
#endif
