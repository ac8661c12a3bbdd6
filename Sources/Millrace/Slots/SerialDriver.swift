import MillraceIPC

/// The consumers of a serial pool, who do its work: whoever wants the next outcome runs what the slot has to do, and reads
/// when that needs items.
///
/// Of several consumers one has its turn, and works for all, at each level of maps inside items. It reads without the
/// turn, for its input may be another map on this pool. The others do not wait for that turn, for whoever has it may come to
/// wait for them: they wait until something has happened.
final class SerialDriver: CallerDriver {
  private unowned let slots: LocalSlots
  private let turns = Lock([Turn()])
  /// Each step of the pool is news.
  private let news = News()

  init(_ slots: LocalSlots) { self.slots = slots }

  /// The next outcomes of the job.
  func next(_ job: JobRecord, of pool: any DrivenPool) async -> Delivery {
    while true {
      let seen = news.count
      if Task.isCancelled { pool.cancel(job) }
      if let delivery = pool.poll(job) { return delivery }
      // It may have been raised meanwhile.
      let level = job.place?.level ?? 0
      let turn = turn(of: level)
      if turn.takeIfFree() {
        await slots.runInCaller(level, job)
        if turn.pass() { news.tell() }
        if let delivery = pool.poll(job) { return delivery }
      }
      let hasRead = await withTaskCancellationHandler {
        await job.feeder.readInCaller()
      } onCancel: {
        pool.cancel(job)
      }
      if !hasRead { await news.wait(since: seen) }
    }
  }

  /// Whoever has a turn is not waited for: it may be an item in whose place this is called.
  func runOn(_ pool: any DrivenPool, until isDone: @Sendable () -> Bool) async {
    while true {
      let seen = news.count
      // What is run may bring further levels, which have to end as well.
      var slot = 0
      while let turn = turns.withLock({ slot < $0.count ? $0[slot] : nil }) {
        if turn.takeIfFree() {
          await slots.runInCaller(slot, nil)
          if turn.pass() { news.tell() }
        }
        slot += 1
      }
      let hasRead = await readWhatIsThere(pool)
      if isDone() { return }
      if !hasRead { await news.waitNevertheless(since: seen) }
    }
  }

  /// Reads for submissions of whose values nobody has asked; whether there were any.
  private func readWhatIsThere(_ pool: any DrivenPool) async -> Bool {
    var hasRead = false
    for feeder in pool.feeders where feeder.readsAtOnce {
      if await feeder.readInCaller() { hasRead = true }
    }
    return hasRead
  }

  func hasNews() { news.tell() }

  func makeFeeder<Input>(
    _ reader: Reader<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void
  ) -> any Feeding {
    CallerFeeder(reader, into: inbox, report: report)
  }

  private func turn(of level: Int) -> Turn {
    turns.withLock { turns in
      while turns.count <= level { turns.append(Turn()) }
      return turns[level]
    }
  }
}
