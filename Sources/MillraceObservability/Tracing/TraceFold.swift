#if Observability
import Millrace
import MillraceIPC
import Tracing

/// What becomes of the chunks and maps that have spans. A pure state machine: it keeps spans, and says which are over, with what is to be said
/// of them; it does nothing with one.
struct TraceFold {
  /// A failure or another attempt, on its way to a span.
  struct Mishap {
    let time: UInt64
    let index: Int
    let slot: Int
    let attempt: Int
    let cause: ItemFailure.Cause
    /// It failed for good.
    let isFinal: Bool
  }

  /// A chunk at a slot.
  struct Part {
    let job: JobID
    let slot: Int
    let items: Range<Int>
    let attempt: Int
    /// nil: it has not begun to run, as far as is known.
    var span: (any Span)?
    var mishaps: [Mishap] = []
  }

  enum Ending {
    case chunk(items: Int, elapsed: UInt64)
    /// The worker went while it had it.
    case lost(WorkerDeparture)
    /// It was not run, or not to its end, and others have the rest.
    case left
    case map(JobEnd, JobTotals)
  }

  /// A span that is over.
  struct Finished {
    let span: any Span
    let time: UInt64
    let mishaps: [Mishap]
    let ending: Ending
  }

  /// So many mishaps are told of a map, and of a chunk; the counts are of all.
  private static let mostMishaps = 128

  /// Whether chunks have spans.
  private let hasChunks: Bool
  private var pool: PoolSnapshot
  private var parts: [Int: Part] = [:]
  private var maps: [JobID: (span: any Span, mishaps: [Mishap])] = [:]
  private var finished: [Finished] = []

  init(_ pool: PoolSnapshot, hasChunks: Bool = true) { (self.pool, self.hasChunks) = (pool, hasChunks) }

  // MARK: Spans

  mutating func mapBegins(_ job: JobID, _ span: any Span) { maps[job] = (span, []) }

  /// A chunk at a slot; nil if it is there no more.
  func part(_ chunk: Int) -> Part? { parts[chunk] }

  /// The chunk runs, and this is its span; false if it is over meanwhile.
  mutating func chunkBegins(_ chunk: Int, _ span: any Span) -> Bool {
    guard parts[chunk] != nil else { return false }
    parts[chunk]!.span = span
    return true
  }

  /// The spans that are over.
  mutating func takeFinished() -> [Finished] {
    defer { finished = [] }
    return finished
  }

  /// All that is left, where nothing more is heard.
  mutating func takeRest(at time: UInt64) -> [Finished] {
    for chunk in parts.keys { end(chunk, .left, time) }
    for (span, mishaps) in maps.values {
      finished.append(Finished(span: span, time: time, mishaps: mishaps, ending: .map(.cancelled, JobTotals())))
    }
    maps = [:]
    return takeFinished()
  }

  // MARK: Events

  mutating func apply(_ event: DispatchEvent, at time: UInt64) {
    switch event {
    case .chunkGiven(let slot, _, let job, let chunk, let items, _, let attempt):
      if hasChunks, maps[job] != nil { parts[chunk] = Part(job: job, slot: slot, items: items, attempt: attempt) }
    case .chunkFinished(_, _, let chunk, let items, let elapsed, _, _, _):
      end(chunk, .chunk(items: items, elapsed: elapsed), time)
    case .workerEnded(let slot, _, let departure):
      for (chunk, part) in parts where part.slot == slot { end(chunk, .lost(departure), time) }
    case .itemFailed(let job, let failure):
      add(
        Mishap(
          time: time, index: failure.index, slot: failure.slot, attempt: failure.attempt, cause: failure.cause,
          isFinal: true), job)
    case .itemRetried(let job, let index, let slot, let attempt, let cause, _):
      add(Mishap(time: time, index: index, slot: slot, attempt: attempt, cause: cause, isFinal: false), job)
    case .jobEnded(let job, let end, let totals):
      guard let (span, mishaps) = maps.removeValue(forKey: job) else { break }
      finished.append(Finished(span: span, time: time, mishaps: mishaps, ending: .map(end, totals)))
    default: break
    }
    pool.apply(event, at: time)
    // What the slot has of it, if anything, the snapshot knows.
    if case .chunkReturned(let slot, _, let chunk, _) = event,
      !pool.slots[slot].work.contains(where: { $0.chunk == chunk })
    {
      end(chunk, .left, time)
    }
  }

  private mutating func end(_ chunk: Int, _ ending: Ending, _ time: UInt64) {
    guard let part = parts.removeValue(forKey: chunk) else { return }
    // Causes hold errors, which are a user's, and this is under a lock of the recorder's.
    guard let span = part.span else { return Unlocked.release(part.mishaps) }
    finished.append(Finished(span: span, time: time, mishaps: part.mishaps, ending: ending))
  }

  private mutating func add(_ mishap: Mishap, _ job: JobID) {
    guard maps[job] != nil else { return }
    if maps[job]!.mishaps.count < Self.mostMishaps { maps[job]!.mishaps.append(mishap) }
    let place = parts.first {
      $0.value.job == job && $0.value.slot == mishap.slot && $0.value.items.contains(mishap.index)
    }
    guard let chunk = place?.key, parts[chunk]!.mishaps.count < Self.mostMishaps else { return }
    parts[chunk]!.mishaps.append(mishap)
  }
}
#endif
