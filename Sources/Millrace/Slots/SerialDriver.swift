import MillraceIPC

/// The consumers of a serial pool, who do its work: whoever wants the next outcome runs what the slot has to do, and reads
/// when that needs items.
///
/// Of several consumers one has its turn, and works for all, at each level of maps inside items. It reads without the
/// turn, for its input may be another map on this pool. The others do not wait for that turn, for whoever has it may come to
/// wait for them: they wait until something has happened. Who has items under way reads nothing that may block: their outcomes
/// may come meanwhile, or he may have to do them as soon as another has passed the turn on.
final class SerialDriver: CallerDriver {
  private unowned let slots: LocalSlots
  private let turns = Lock([Turn()])
  /// Each step of the pool is news.
  private let news = News()

  init(_ slots: LocalSlots) { self.slots = slots }

  /// The next outcomes of the job.
  func next(_ job: JobRecord, of pool: any DrivenPool) async -> Delivery {
    await withTaskCancellationHandler {
      while true {
        let seen = news.count
        if let delivery = pool.poll(job) { return delivery }
        // It may have been raised meanwhile.
        let level = job.place?.level ?? 0
        let turn = turn(of: level)
        if turn.takeIfFree() {
          await slots.runInCaller(level, job)
          if turn.pass() { news.tell() }
          if let delivery = pool.poll(job) { return delivery }
        }
        if !job.feeder.readInCaller(mayBlock: pool.hasDelivered(job)) { await news.wait(since: seen) }
      }
    } onCancel: {
      pool.cancel(job)
    }
  }

  func drive(_ job: JobRecord, of pool: any DrivenPool) async {
    let own = Lock<Task<Void, Never>?>(nil)
    await withTaskCancellationHandler {
      while true {
        let seen = news.count
        if case .end? = pool.poll(job) {
          // What is running may yet have to be told that nobody wants it.
          return await own.withLock { $0 }?.value ?? ()
        }
        if let task = await work(at: job.place?.level ?? 0, for: job) {
          own.withLock { $0 = task }
          if Task.isCancelled { task.cancel() }
        }
        let hasRead = job.feeder.readInCaller(mayBlock: pool.hasDelivered(job))
        if !hasRead { await news.waitNevertheless(since: seen) }
      }
    } onCancel: {
      pool.cancel(job)
      let task = own.withLock { $0 }
      task?.cancel()
    }
  }

  /// Takes the turn at the level and what there is to do, if that is free: what runs anybody's code in a task of its own, for it may be
  /// an item that waits for just what whoever calls this is to do next.
  private func work(at level: Int, for job: JobRecord?) async -> Task<Void, Never>? {
    let turn = turn(of: level)
    guard slots.hasWork(level), turn.takeIfFree() else { return nil }
    guard await slots.doErrands(level) else {
      if turn.pass() { news.tell() }
      return nil
    }
    return Task(executorPreference: LaneThread.ofFork) { [self, slots] in
      await slots.runInCaller(level, job)
      if turn.pass() { news.tell() }
    }
  }

  /// Whoever has a turn is not waited for: it may be an item in whose place this is called.
  func runOn(_ pool: any DrivenPool, until isDone: @Sendable () -> Bool) async {
    while true {
      let seen = news.count
      // What is run may bring further levels, which have to end as well.
      var slot = 0
      while slot < turns.withLock({ $0.count }) {
        _ = await work(at: slot, for: nil)
        slot += 1
      }
      let hasRead = readWhatIsThere(pool)
      if isDone() { return }
      if !hasRead { await news.waitNevertheless(since: seen) }
    }
  }

  /// Reads for submissions of whose values nobody has asked; whether there were any.
  private func readWhatIsThere(_ pool: any DrivenPool) -> Bool {
    var hasRead = false
    for feeder in pool.feeders where feeder.readsAtOnce {
      if feeder.readInCaller(mayBlock: false) { hasRead = true }
    }
    return hasRead
  }

  func hasNews() { news.tell() }

  func makeFeeder<Input>(
    _ reader: Reader<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void
  ) -> any Feeding {
    CallerFeeder(reader, into: inbox, report: report, news: news)
  }

  private func turn(of level: Int) -> Turn {
    turns.withLock { turns in
      while turns.count <= level { turns.append(Turn()) }
      return turns[level]
    }
  }
}
