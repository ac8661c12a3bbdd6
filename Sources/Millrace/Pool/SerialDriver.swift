import MillraceIPC

/// The consumers of a serial pool, who do its work: whoever wants the next outcome runs what the slot has to do, and reads
/// when that needs items.
///
/// Of several consumers one has its turn, and works for all, at each level of maps inside items. It reads without the
/// turn, for its input may be another map on this pool.
package final class SerialDriver: Sendable {
  private unowned let slots: LocalSlots
  private let turns = Lock([Turn()])

  init(_ slots: LocalSlots) { self.slots = slots }

  /// The next outcomes of the job.
  func next(_ job: JobRecord, on core: PoolCore) async -> Delivery {
    let level = job.place?.level ?? 0
    let turn = turn(of: level)
    while true {
      if Task.isCancelled { core.cancel(job) }
      if let delivery = core.poll(job) { return delivery }
      guard await turn.take(for: job, unless: { core.hasEnded(job) }) else { continue }
      var delivery = core.poll(job)
      if delivery == nil {
        await slots.runInCaller(level, job)
        delivery = core.poll(job)
      }
      turn.pass()
      if let delivery { return delivery }
      await withTaskCancellationHandler {
        if await job.feeder.readInCaller() { return }
        // Only time can bring news: the back-off of a retry.
        if let time = core.nextAlarm { await core.waitForNews(job, until: time) }
      } onCancel: {
        core.cancel(job)
      }
    }
  }

  /// Runs what the slots have to do, though nobody waits for outcomes. If the pool stops meanwhile, nobody's item is waited for.
  func runOn(_ core: PoolCore) async {
    repeat {
      for (slot, turn) in turns.withLock({ $0 }).enumerated() {
        // In a task of its own, for this one may be cancelled, and waits nevertheless.
        let isMine = await Task(executorPreference: LaneThread.ofFork) {
          await turn.take(for: self, unless: { core.hasStopped })
        }.value
        guard isMine else { continue }
        await slots.runInCaller(slot, nil)
        turn.pass()
      }
    } while await readWhatIsThere(core)
  }

  /// Reads for submissions of whose values nobody has asked; whether there were any.
  private func readWhatIsThere(_ core: PoolCore) async -> Bool {
    var hasRead = false
    for feeder in core.feeders where feeder.readsAtOnce {
      if await feeder.readInCaller() { hasRead = true }
    }
    return hasRead
  }

  /// The job has ended: its consumer need not wait for its turn.
  func jobHasEnded(_ job: JobRecord) { for turn in turns.withLock({ $0 }) { turn.dismiss(job) } }

  /// The pool has stopped.
  func poolHasStopped() { for turn in turns.withLock({ $0 }) { turn.dismiss(self) } }

  private func turn(of level: Int) -> Turn {
    turns.withLock { turns in
      while turns.count <= level { turns.append(Turn()) }
      return turns[level]
    }
  }
}
