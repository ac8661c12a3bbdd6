import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A run of a pipeline, as its own code knows of it: who waits there for its end would wait for himself.
final class RunScope: Sendable {
  private struct Job: Hashable {
    let pool: ObjectIdentifier
    let job: JobID
  }
  private struct Worker: Hashable {
    let pool: ObjectIdentifier
    let worker: WorkerKey
  }
  private struct Station {
    weak var pool: PoolCore?
    weak var job: JobRecord?
  }
  private struct State {
    var jobs: Set<Job> = []
    var workers: Set<Worker> = []
    var stations: [Station] = []
    /// Pools that were made for the run: their set-ups and tear-downs are its own, too.
    var pools: Set<ObjectIdentifier> = []
    /// Its side channels, for whose end it waits.
    var channels: [RunScope] = []
  }
  private let state = Lock(State())
  private let home = getpid()
  /// Where its sources' puts wait while it is paused.
  let gate = PauseGate()

  /// The runs whose sources are asked for items here, one inside the other.
  @TaskLocal static var ofSources: [RunScope] = []

  /// Whether this is the process in which the run was begun, and not a fork of that.
  var isHere: Bool { getpid() == home }

  func owns(_ pool: PoolCore) { state.withLock { _ = $0.pools.insert(ObjectIdentifier(pool)) } }
  func has(_ job: JobRecord, of worker: WorkerRecord, on pool: PoolCore) {
    state.withLock { state in
      state.workers.insert(Worker(pool: ObjectIdentifier(pool), worker: worker.key))
      state.jobs.insert(Job(pool: ObjectIdentifier(pool), job: job.id))
      state.stations.append(Station(pool: pool, job: job))
    }
  }

  /// Waits for something of the run's. Code that does so may be inside an item of one of its pools: its stations need other slots than
  /// the item's.
  func waiting<R>(_ body: nonisolated(nonsending) () async throws -> R) async throws -> R {
    if Nesting.place == nil { return try await body() }
    var waits: [(pool: PoolCore, wait: PoolCore.Wait)] = []
    defer { for (pool, wait) in waits { pool.waited(wait) } }
    for station in state.withLock({ $0.stations }) {
      guard let pool = station.pool, let job = station.job, let wait = try pool.waits(for: job) else { continue }
      waits.append((pool, wait))
    }
    return try await body()
  }

  func uses(_ channel: RunScope) { state.withLock { $0.channels.append(channel) } }

  /// Whether this is code of the run's: of an item, a set-up, a tear-down or a source, or of a pool inside one.
  static func contains(_ scope: RunScope) -> Bool {
    if ofSources.contains(where: { $0 === scope }) { return true }
    var place = Nesting.place
    while let here = place {
      let isIts = scope.state.withLock { state in
        state.pools.contains(here.pool) || here.job.map { state.jobs.contains(Job(pool: here.pool, job: $0)) } ?? false
          || here.worker.map { state.workers.contains(Worker(pool: here.pool, worker: $0)) } ?? false
      }
      if isIts { return true }
      place = here.outer
    }
    return scope.state.withLock { $0.channels }.contains(where: contains)
  }
}

/// A source as a run reads it.
struct ScopedSource<S: Source>: Source {
  let source: S
  let scope: RunScope

  func produce(_ out: Outlet<S.Output>) async throws {
    let gated = Outlet<S.Output>(
      { item in
        try await scope.gate.pass()
        try await out.put(item)
      }, stop: out.stop)
    try await RunScope.$ofSources.withValue(RunScope.ofSources + [scope]) { try await source.produce(gated) }
  }
}
