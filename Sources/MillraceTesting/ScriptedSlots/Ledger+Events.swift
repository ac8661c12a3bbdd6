import Millrace

/// What the dispatcher tells of what happens: all of it, each thing once, when it is so, and with the right figures.
///
/// What it wants done it tells before; what a worker has said, in the same step. Whoever begins to listen late, with the pool as it
/// was then, has the same picture of it as who asks.
extension Ledger {
  /// What an action or a report has to be told as.
  enum Telling: Hashable {
    case start(Int, replaces: Bool), setUp(Int, WorkerKey), tearDown(Int, WorkerKey), stop(Int), kill(Int)
    case run(Int, chunk: Int, Range<Int>)
    case end(JobID)
    case started(Int), notStarted(Int), ended(Int), isSetUp(Int, WorkerKey), setUpFailed(Int, WorkerKey)
    case tornDown(Int, WorkerKey)
    case finished(Int, chunk: Int, items: Int, elapsed: UInt64)
    case joined(PoolMember), left(String, isLost: Bool), late(String, Int)
  }

  struct Told {
    var isListening = false
    /// What was told, and has not been decided yet.
    var ahead: Set<Telling> = []
    /// What has been heard, and was not told yet.
    var owed: Set<Telling> = []
    /// What each job of which all was told has read.
    var read: [JobID: Int] = [:]
    var ended: Set<JobID> = []
    var picture: PoolSnapshot?
  }

  mutating func listen(to picture: PoolSnapshot) {
    told.isListening = true
    told.picture = picture
  }

  /// Whether all that became of the job was told.
  func isTold(_ id: JobID) -> Bool { told.read[id] != nil }

  // MARK: What is decided and heard

  mutating func wasTold(_ telling: Telling) throws {
    guard told.isListening else { return }
    try check(told.ahead.remove(telling) != nil, "not told before: \(telling)")
  }

  /// A worker that is not written off says this.
  mutating func hasToBeTold(_ report: Report, _ slot: Int) {
    guard told.isListening else { return }
    switch report {
    case .started: told.owed.insert(.started(slot))
    case .startFailed: told.owed.insert(.notStarted(slot))
    case .prepared(let key) where !slots[slot].isKilled: told.owed.insert(.isSetUp(slot, key))
    case .prepareFailed(let key) where !slots[slot].isKilled: told.owed.insert(.setUpFailed(slot, key))
    case .tornDown(let key): told.owed.insert(.tornDown(slot, key))
    case .finished(let chunk, _, let items, let elapsed) where slots[slot].held.contains { $0.id == chunk }:
      told.owed.insert(.finished(slot, chunk: chunk, items: items, elapsed: elapsed))
    case .died: told.owed.insert(.ended(slot))
    default: break
    }
  }

  /// Somebody comes to work for the pool, or does not any more: told in the same step, once.
  mutating func hasToBeTold(_ coming: Telling) { if told.isListening { told.owed.insert(coming) } }

  func checkTold(_ id: JobID, _ items: Range<Int>) throws {
    guard isTold(id) else { return }
    for index in items {
      try check(jobs[id]!.items[index].isTold, "\(id): the outcome of item \(index) is delivered, and was not told")
    }
  }

  // MARK: What is told

  mutating func hears(_ event: PoolEvent) throws {
    // This one the log wants too.
    if case .workerEnded(let slot, _, let end) = event.event, case .givenUp = end.cause { try givesUp(slot) }
    guard told.isListening else { return }
    try check(event.time == now, "told at another time: \(event)")
    told.picture!.apply(event.event, at: event.time)
    switch event.event {
    case .workerStarting(let slot, _, let replaces): try isAhead(.start(slot, replaces: replaces))
    case .setUpBegan(let slot, _, let key): try isAhead(.setUp(slot, key))
    case .tearDownBegan(let slot, _, let key): try isAhead(.tearDown(slot, key))
    case .workerStopping(let slot, _, _): try isAhead(.stop(slot))
    case .workerKilled(let slot, _, _): try isAhead(.kill(slot))
    case .chunkGiven(let slot, _, _, let chunk, let items, _, _): try isAhead(.run(slot, chunk: chunk, items))
    case .workerStarted(let slot, _): try isOwed(.started(slot))
    case .workerNotStarted(let slot, _, _): try isOwed(.notStarted(slot))
    case .setUpEnded(let slot, _, let key): try isOwed(.isSetUp(slot, key))
    case .setUpFailed(let slot, _, let key, _, _, _): told.owed.remove(.setUpFailed(slot, key))
    case .tearDownEnded(let slot, _, let key): try isOwed(.tornDown(slot, key))
    case .workerEnded(let slot, _, let end):
      if case .givenUp = end.cause { return }
      try isOwed(.ended(slot))
    case .chunkFinished(let slot, _, let chunk, let items, let elapsed, _, _, _):
      try isOwed(.finished(slot, chunk: chunk, items: items, elapsed: elapsed))
    case .memberJoined(let member): try isOwed(.joined(member))
    case .memberLeft(let member, let isLost): try isOwed(.left(member.name, isLost: isLost))
    case .resultsLate(let member, let count): try isOwed(.late(member, count))
    case .jobBegan(let id, _, _, let total):
      try check(!isTold(id), "\(id): begins twice")
      try check(total == jobs[id]?.plan.declared, "\(id): has \(total.map { "\($0)" } ?? "no") items")
      told.read[id] = 0
    case .jobRead(let id, let count): told.read[id]? += count
    case .jobEnded(let id, _, let totals): try ends(id, totals)
    case .itemsDone(let id, let items, _, let attempt): try areDone(id, items, attempt)
    case .itemFailed(let id, let failure): try hasFailed(id, failure)
    case .itemRetried(let id, let index, _, let attempt, _, _): try isRetried(id, index, attempt)
    default: break
    }
  }

  private mutating func isAhead(_ telling: Telling) throws {
    try check(told.ahead.insert(telling).inserted, "told twice: \(telling)")
  }

  private mutating func isOwed(_ telling: Telling) throws {
    try check(told.owed.remove(telling) != nil, "told, and nobody has said so: \(telling)")
  }

  private mutating func ends(_ id: JobID, _ totals: JobTotals) throws {
    try isAhead(.end(id))
    guard isTold(id), let job = jobs[id] else { return }
    try check(told.ended.insert(id).inserted, "\(id): its end is told twice")
    let outcomes = job.items.count { $0.isTold }
    let retries = job.items.reduce(0) { $0 + $1.retriesTold }
    try check(
      totals.read == job.items.count && totals.done + totals.failed == outcomes && totals.retried == retries,
      "\(id): \(totals), but \(job.items.count) were read, \(outcomes) outcomes and \(retries) retries told")
  }

  private mutating func areDone(_ id: JobID, _ items: Range<Int>, _ attempt: Int) throws {
    try check(!told.ended.contains(id), "\(id): \(items) are done after its end")
    guard isTold(id), let job = jobs[id] else { return }
    for index in items {
      let isKnown = if case .known(.output) = job.items[index].state { attempt == 0 } else { false }
      let isDone = if case .done(attempt) = job.items[index].state { true } else { isKnown }
      guard isDone, !job.items[index].isTold else {
        throw BrokenPromise(
          description: "\(id): item \(index) is told as done in attempt \(attempt), but is \(job.items[index])")
      }
      jobs[id]!.items[index].isTold = true
    }
  }

  private mutating func hasFailed(_ id: JobID, _ failure: ItemFailure) throws {
    try check(!told.ended.contains(id), "\(id): item \(failure.index) fails after its end")
    guard isTold(id), let job = jobs[id] else { return }
    let item = job.items[failure.index]
    let isRight =
      switch item.state {
      case .failed: item.failures == failure.attempt
      case .known(.failure): failure.attempt == 0
      default: false
      }
    let isOfSetUp = if case .setUpFailed = failure.cause { true } else { false }
    try check(
      !item.isTold && (isRight || isOfSetUp), "\(id): item \(failure.index) is told as failed, but is \(item)")
    jobs[id]!.items[failure.index].isTold = true
  }

  private mutating func isRetried(_ id: JobID, _ index: Int, _ attempt: Int) throws {
    try check(!told.ended.contains(id), "\(id): item \(index) is retried after its end")
    guard isTold(id), let item = jobs[id]?.items[index] else { return }
    let isRight = if case .failed = item.state { item.failures == attempt } else { false }
    try check(
      isRight && !item.isTold && item.retriesTold == attempt - 1,
      "\(id): item \(index) is told as retried, but is \(item)")
    jobs[id]!.items[index].retriesTold = attempt
  }

  // MARK: After each step

  /// What was told has been decided, and what was heard was told.
  mutating func checkEvents() throws {
    guard told.isListening else { return }
    if let telling = told.ahead.first { throw BrokenPromise(description: "told, and not so: \(telling)") }
    if let telling = told.owed.first { throw BrokenPromise(description: "was not told: \(telling)") }
    for (id, read) in told.read where !told.ended.contains(id) {
      try check(read == jobs[id]?.items.count, "\(id): \(read) items are told to be read, not \(jobs[id]!.items.count)")
    }
  }

  /// What follows from what was told, and what is.
  func checkPicture(_ snapshot: PoolSnapshot) throws {
    guard var told = told.picture else { return }
    var found = snapshot
    told.time = found.time
    // Of jobs that are over, nothing is told any more. Since when a slot is at something is not told.
    for slot in told.slots.indices { told.slots[slot].forget(allBut: found) }
    for slot in found.slots.indices { found.slots[slot].forget(allBut: snapshot) }
    try check(told == found, "what was told comes to \(told), but there is \(found)")
  }
}

extension PoolSnapshot.Slot {
  fileprivate mutating func forget(allBut snapshot: PoolSnapshot) {
    since = nil
    for place in work.indices where snapshot.jobs[work[place].job] == nil { work[place].items = 0..<0 }
  }
}
