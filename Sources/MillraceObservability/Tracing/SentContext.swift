#if Observability
import Millrace
import MillraceIPC
import Tracing

/// Around the items of a chunk in a worker process: the same, with the tracer that is there.
///
/// ```
///   whether there are spans of items │ the type that bootstraps │ key, value │ key, value │ …
/// ```
struct SentContext: SentSurroundings {
  private let here: Surroundings

  static func bytes(_ values: [String: String], surroundsItems: Bool, telemetry: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { Records.append($0, to: &writer) } }
    add([surroundsItems ? 1 : 0])
    add(telemetry)
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      add(Array(key.utf8))
      add(Array(value.utf8))
    }
    return Array(writer.bytes)
  }

  init(bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    let surroundsItems = try Records.next(&rest).bytes.first == 1
    let telemetry = Array(try Records.next(&rest).bytes)
    TelemetryStart.here.run(telemetry)
    var values: [String: String] = [:]
    while !rest.isEmpty {
      let key = String(decoding: try Records.next(&rest).bytes, as: UTF8.self)
      values[key] = String(decoding: try Records.next(&rest).bytes, as: UTF8.self)
    }
    var context = ServiceContext.topLevel
    let instrument = InstrumentationSystem.instrument
    instrument.extract(values, into: &context, using: TextCarrier())
    here = Surroundings(
      context: context, tracer: InstrumentationSystem.tracer, instrument: instrument, surroundsItems: surroundsItems,
      telemetry: telemetry)
  }

  var surroundsItems: Bool { here.surroundsItems }
  var baggage: Baggage { here.baggage }

  func around<Result>(_ body: () async throws -> Result) async rethrows -> Result { try await here.around(body) }

  func aroundItem(_ index: Int, attempt: Int, _ body: () async -> _RunEnd) async -> _RunEnd {
    await here.aroundItem(index, attempt: attempt, body)
  }
}

/// Bootstraps a worker process, once. Of its threads, those that come meanwhile wait.
private final class TelemetryStart: @unchecked Sendable {
  // Sound: `state` is touched with the condition's mutex only.
  static let here = TelemetryStart()
  private enum State { case open, running, done }
  private let condition = Condition()
  private var state = State.open

  func run(_ telemetry: [UInt8]) {
    if telemetry.isEmpty { return }
    condition.lock()
    while state == .running { condition.wait() }
    let isMine = state == .open
    if isMine { state = .running }
    condition.unlock()
    guard isMine else { return }
    // With no lock: this is a user's.
    if InstrumentationSystem.instrument is NoOpInstrument,
      let type = TypeReference(bytes: telemetry).resolve() as? any WorkerTelemetry.Type
    {
      type.start()
    }
    condition.lock()
    state = .done
    condition.wakeAll()
    condition.unlock()
  }
}
#endif
