import MillraceIPC

/// How long a pool's workers have worked on each job, from the pool's events: two additions a chunk.
final class StageMeter: EventObserver {
  /// How long, all together, and on how many chunks.
  struct Work {
    var busy: UInt64 = 0
    var chunks: UInt64 = 0
  }
  private struct State {
    var work: [JobID: Work] = [:]
    var followed: Set<JobID> = []
  }
  private let state = Lock(State())

  func accept(_ event: PoolEvent) -> PoolEvent? {
    switch event.event {
    case .chunkFinished(_, let job, _, _, let elapsed, _, _, _):
      state.withLock { state in
        state.work[job, default: Work()].busy += elapsed
        state.work[job]!.chunks += 1
      }
    case .jobEnded(let job, _, _):
      // Somebody else's on the same pool.
      state.withLock { state in
        if !state.followed.contains(job) { state.work[job] = nil }
      }
    default: break
    }
    return nil
  }

  func follow(_ job: JobID) { state.withLock { _ = $0.followed.insert(job) } }
  func work(_ job: JobID) -> Work { state.withLock { $0.work[job] ?? Work() } }
}

/// What is measured of a run: of each of its stations where its workers' time goes.
final class PipelineMeter: Sendable {
  private struct Entry {
    let place: Int
    let name: String
    var slots: Int
    let meter: StageMeter
    let job: JobID
    /// With whom it has a width of its own in common, which somebody wrote and might write otherwise; nil: it has none.
    let group: ObjectIdentifier?
    /// The time that its slots have had, until it had others, and when that was.
    var time: UInt64 = 0
    var since: UInt64

    func time(until now: UInt64) -> UInt64 { time + (now &- since) * UInt64(slots) }
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

  /// - Parameter group: whose width it has, if that is one that was written, and that nobody changes as it runs.
  func add(
    _ place: Int, _ name: String, slots: Int, _ meter: StageMeter, _ job: JobID, group: ObjectIdentifier? = nil
  ) {
    state.withLock {
      $0.entries.append(
        Entry(place: place, name: name, slots: slots, meter: meter, job: job, group: group, since: begun))
    }
  }

  /// What its workers have done, all together.
  func work(_ places: [Int]) -> StageMeter.Work {
    let entries = state.withLock { $0.entries }.filter { places.contains($0.place) }
    return entries.reduce(into: StageMeter.Work()) { sum, entry in
      let work = entry.meter.work(entry.job)
      sum.busy += work.busy
      sum.chunks += work.chunks
    }
  }

  /// What it is called.
  func name(_ place: Int) -> String? { state.withLock { $0.entries.first { $0.place == place }?.name } }

  /// A stage has so many slots from here on.
  func resized(_ place: Int, to slots: Int) {
    let now = _monotonicNow()
    state.withLock { state in
      guard let index = state.entries.firstIndex(where: { $0.place == place }) else { return }
      state.entries[index].time = state.entries[index].time(until: now)
      (state.entries[index].since, state.entries[index].slots) = (now, slots)
    }
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
    let now = max(begun + 1, end ?? _monotonicNow())
    let elapsed = now &- begun
    let stages = entries.map { entry in
      var stage = PipelineSnapshot.Stage(name: entry.name, slots: entry.slots)
      let busy = entry.meter.work(entry.job).busy
      stage.busy = .nanoseconds(Int64(clamping: busy))
      stage.load = min(1, Double(busy) / Double(max(1, entry.time(until: now))))
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
    let isBottleneck = own == snapshot.bottleneck && stages.count > 1
    let better = betterWidths(stages, snapshot.bottleneck)[place]
    let notes = [isBottleneck ? "bottleneck" : nil, better.map { "better ×\($0)" }].compactMap { $0 }
    return notes.isEmpty ? label : label + " (\(notes.joined(separator: ", ")))"
  }

  /// The widths, by the stages' places, with which the run would be faster; nothing where no other ones make it so.
  private func betterWidths(
    _ stages: [(place: Int, stage: PipelineSnapshot.Stage)], _ bottleneck: PipelineSnapshot.Stage?
  ) -> [Int: Int] {
    // One that waits itself is held up by who gives it items, or takes them.
    guard let bottleneck, bottleneck.load >= Balancer.full,
      let slowest = stages.firstIndex(where: { $0.stage == bottleneck })
    else { return [:] }
    let groups = state.withLock { $0.entries }.reduce(into: [Int: ObjectIdentifier]()) { $0[$1.place] = $1.group }
    let parts = stages.map { place, stage in
      PipelineSnapshot.Part(busy: stage.busy.nanoseconds, slots: stage.slots, group: groups[place])
    }
    let widths = PipelineSnapshot.betterWidths(parts, slowest: slowest, workers: WorkerPool.usableCPUs)
    return zip(stages, widths).reduce(into: [:]) { $0[$1.0.place] = $1.1 }
  }
}
