#if Observability
import Millrace

/// What has happened in a pool since it was last asked: what counters are increased by, and what timers are told.
struct PoolNews: Equatable {
  enum Outcome: String, CaseIterable { case done, failed }
  enum MapEnd: String, CaseIterable { case complete, failed, cancelled }
  enum Leave: String, CaseIterable { case told, lost }
  enum Cause: String, CaseIterable { case lifespan, crash, timeout, other }

  struct Run: Equatable {
    var items: Int
    var nanoseconds: UInt64
  }

  var read = 0
  var items: [Outcome: Int] = [:]
  var retried = 0
  var timedOut = 0
  var maps: [MapEnd: Int] = [:]
  var crashes = 0
  var lateResults = 0
  var joins = 0
  /// Of those that left whether they said so.
  var leaves: [Leave: Int] = [:]
  var restarts: [Cause: Int] = [:]
  var bytesSent = 0
  var bytesReceived = 0
  /// The chunks that were run.
  var chunks: [Run] = []
  var setUps: [UInt64] = []
  var startUps: [UInt64] = []
  /// Resident bytes of workers.
  var memory: [Int] = []
}

/// How a pool is.
struct PoolLevels: Equatable {
  var slots = 0
  var busySlots = 0
  var members = 0
  var memberSlots = 0
  var maps = 0
  var waitingItems = 0
  var runningItems = 0
}

/// Folds a pool's events into what its metrics are told. A pure state machine.
struct MetricsFold {
  private var pool: PoolSnapshot
  private var news = PoolNews()
  /// When a slot's worker began to start, or to be set up.
  private var starts: [Int: UInt64] = [:]
  private var setUps: [Int: UInt64] = [:]
  /// How a slot's last worker went.
  private var departures: [Int: PoolNews.Cause] = [:]

  init(_ pool: PoolSnapshot) { self.pool = pool }

  /// What has happened since the last time.
  mutating func takeNews() -> PoolNews {
    defer { news = PoolNews() }
    return news
  }

  var levels: PoolLevels {
    if pool.hasStopped { return PoolLevels() }
    var levels = PoolLevels(slots: pool.width, maps: pool.jobs.count)
    levels.members = pool.members.count
    levels.memberSlots = pool.members.values.reduce(0) { $0 + $1.slots }
    for slot in pool.slots where slot.state == .working { levels.busySlots += 1 }
    for job in pool.jobs.values {
      levels.waitingItems += max(0, job.queued)
      levels.runningItems += max(0, job.running)
    }
    return levels
  }

  mutating func apply(_ event: DispatchEvent, at time: UInt64) {
    note(event, time)
    pool.apply(event, at: time)
  }

  private mutating func note(_ event: DispatchEvent, _ time: UInt64) {
    switch event {
    case .workerStarting(let slot, _, let replaces):
      starts[slot] = time
      if replaces { news.restarts[departures[slot] ?? .other, default: 0] += 1 }
      departures[slot] = nil
    case .workerStarted(let slot, _):
      if let start = starts.removeValue(forKey: slot) { news.startUps.append(time &- start) }
    case .workerNotStarted(let slot, _, _): starts[slot] = nil
    case .workerStopping(let slot, _, let isReplaced): departures[slot] = isReplaced ? .lifespan : .other
    case .workerEnded(let slot, _, let departure): ended(slot, departure)
    case .setUpBegan(let slot, _, _): setUps[slot] = time
    case .setUpEnded(let slot, _, _):
      if let start = setUps.removeValue(forKey: slot) { news.setUps.append(time &- start) }
    case .setUpFailed(let slot, _, _, _, _, _): setUps[slot] = nil
    case .memberJoined: news.joins += 1
    case .memberLeft(_, let isLost): news.leaves[isLost ? .lost : .told, default: 0] += 1
    case .resultsLate(_, let count): news.lateResults += count
    case .jobRead(_, let count): news.read += count
    case .jobEnded(_, let end, _):
      switch end {
      case .complete: news.maps[.complete, default: 0] += 1
      case .failed: news.maps[.failed, default: 0] += 1
      case .cancelled: news.maps[.cancelled, default: 0] += 1
      }
    case .chunkFinished(_, _, _, let items, let elapsed, let bytes, let memory, _):
      if items > 0 { news.chunks.append(PoolNews.Run(items: items, nanoseconds: elapsed)) }
      news.bytesSent += bytes?.sent ?? 0
      news.bytesReceived += bytes?.received ?? 0
      if let memory { news.memory.append(memory) }
    // What was known before was counted by whoever ran it.
    case .itemsDone(_, _, _, attempt: 0): break
    case .itemFailed(_, let failure) where failure.attempt == 0: break
    case .itemsDone(_, let items, _, _): news.items[.done, default: 0] += items.count
    case .itemFailed(_, let failure):
      news.items[.failed, default: 0] += 1
      if case .timedOut = failure.cause { news.timedOut += 1 }
    case .itemRetried(_, _, _, _, let cause, _):
      news.retried += 1
      if case .timedOut = cause { news.timedOut += 1 }
    default: break
    }
  }

  private mutating func ended(_ slot: Int, _ departure: WorkerDeparture) {
    (starts[slot], setUps[slot]) = (nil, nil)
    switch departure.cause {
    case .ended: break
    case .endedWithAnother: departures[slot] = .other
    case .died:
      departures[slot] = .crash
      news.crashes += 1
    case .killed(let reason), .givenUp(let reason):
      switch reason {
      case .abandoned, .terminated: departures[slot] = .other
      case .timedOut, .setUpTimedOut, .tearDownTimedOut, .silent, .endingTimedOut, .startTimedOut:
        departures[slot] = .timeout
      }
    }
  }
}
#endif
