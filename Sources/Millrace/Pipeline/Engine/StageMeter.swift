import MillraceIPC

/// How long a pool's workers have worked on each job, from the pool's events: two additions a chunk.
final class StageMeter: EventObserver {
  private struct State {
    var busy: [JobID: UInt64] = [:]
    var followed: Set<JobID> = []
  }
  private let state = Lock(State())

  func accept(_ event: PoolEvent) -> PoolEvent? {
    switch event.event {
    case .chunkFinished(_, let job, _, _, let elapsed, _, _, _):
      state.withLock { $0.busy[job, default: 0] += elapsed }
    case .jobEnded(let job, _, _):
      // Somebody else's on the same pool.
      state.withLock { state in
        if !state.followed.contains(job) { state.busy[job] = nil }
      }
    default: break
    }
    return nil
  }

  func follow(_ job: JobID) { state.withLock { _ = $0.followed.insert(job) } }
  func busy(_ job: JobID) -> UInt64 { state.withLock { $0.busy[job] ?? 0 } }
}

/// What is measured of a run: of each of its stations where its workers' time goes.
final class PipelineMeter: Sendable {
  private struct Entry {
    let place: Int
    let name: String
    let slots: Int
    let meter: StageMeter
    let job: JobID
  }
  private struct State {
    var entries: [Entry] = []
    var meters: [ObjectIdentifier: StageMeter] = [:]
    var observations: [Observation] = []
    var end: UInt64?
  }
  private let state = Lock(State())
  let begun = _monotonicNow()

  /// The pool is observed from here on.
  func observe(_ core: PoolCore) -> StageMeter {
    if let meter = state.withLock({ $0.meters[ObjectIdentifier(core)] }) { return meter }
    let meter = StageMeter()
    let observation = core.observe(with: meter)
    state.withLock { state in
      state.meters[ObjectIdentifier(core)] = meter
      state.observations.append(observation)
    }
    return meter
  }

  func add(_ place: Int, _ name: String, slots: Int, _ meter: StageMeter, _ job: JobID) {
    state.withLock { $0.entries.append(Entry(place: place, name: name, slots: slots, meter: meter, job: job)) }
  }

  /// The run is over: its pools need tell it nothing more.
  func end() {
    let observations = state.withLock { state in
      state.end = _monotonicNow()
      defer { state.observations = [] }
      return state.observations
    }
    withExtendedLifetime(observations) {}
  }

  /// What is known without the engine: its stages, by their places there, with how busy they are.
  func stages() -> (stages: [(place: Int, stage: PipelineSnapshot.Stage)], elapsed: UInt64) {
    let (entries, end) = state.withLock { ($0.entries, $0.end) }
    let elapsed = max(1, (end ?? _monotonicNow()) &- begun)
    let stages = entries.map { entry in
      var stage = PipelineSnapshot.Stage(name: entry.name, slots: entry.slots)
      let busy = entry.meter.busy(entry.job)
      stage.busy = .nanoseconds(Int64(clamping: busy))
      stage.load = min(1, Double(busy) / (Double(elapsed) * Double(entry.slots)))
      return (entry.place, stage)
    }
    return (stages, elapsed)
  }

  /// What stands behind a stage's name where it is watched.
  func label(_ place: Int) -> String {
    let (stages, elapsed) = stages()
    let snapshot = PipelineSnapshot(stages: stages.map(\.stage), elapsed: .nanoseconds(Int64(clamping: elapsed)))
    guard let own = stages.first(where: { $0.place == place })?.stage else { return "" }
    let label = "×\(own.slots) \(Int((own.load * 100).rounded())) %"
    return own == snapshot.bottleneck && stages.count > 1 ? label + " (bottleneck)" : label
  }
}
