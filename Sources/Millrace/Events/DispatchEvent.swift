/// Something that happened in a pool, as its dispatcher saw it: all that progress, insights, metrics, traces, a journal or a
/// dashboard know of the pool.
///
/// An event comes before the actions that follow from it: an item's outcome before that is delivered, a worker's set-up before it
/// is begun, a job's end before its consumer hears of it. Whatever concerns items is told once, and nothing more of a job
/// after its end, but for what becomes of its chunks.
package enum DispatchEvent: Sendable {
  // MARK: The pool

  case poolResized(width: Int)
  case poolClosing(PoolClosing)
  case poolStopped
  /// There is one slot more. Of a level above 0: a spare slot, for maps inside items.
  case slotOpened(slot: Int, level: Int)
  /// The slot has no worker any more, and gets none.
  case slotClosed(slot: Int)

  // MARK: Workers

  /// A worker is to be started; `replaces`: another was there before it.
  case workerStarting(slot: Int, generation: Int, replaces: Bool)
  case workerStarted(slot: Int, generation: Int)
  /// No worker could be started.
  case workerNotStarted(slot: Int, generation: Int, any Error)
  /// It is told to end, with nothing to do: the slot goes, or it has reached its lifespan, and `isReplaced`.
  case workerStopping(slot: Int, generation: Int, isReplaced: Bool)
  /// The pool ends it, whatever it is at.
  case workerKilled(slot: Int, generation: Int, KillReason)
  /// It is gone. What it had been given, and has no outcome, comes back.
  case workerEnded(slot: Int, generation: Int, WorkerDeparture)
  /// The slot gets no worker for a while; the others go on.
  case slotRests(slot: Int, until: UInt64, WorkerPoolError, isForRoom: Bool, isNews: Bool)

  // MARK: Set-up and tear-down

  case setUpBegan(slot: Int, generation: Int, WorkerKey)
  case setUpEnded(slot: Int, generation: Int, WorkerKey)
  /// It failed for the `times`th time in a row in this slot; not `isWanted`: no map uses the worker any more.
  case setUpFailed(slot: Int, generation: Int, WorkerKey, any Error, times: Int, isWanted: Bool)
  /// The slot is left out, as far as the worker is concerned; the others go on.
  case slotBenched(slot: Int, WorkerKey, any Error)
  case tearDownBegan(slot: Int, generation: Int, WorkerKey)
  case tearDownEnded(slot: Int, generation: Int, WorkerKey)

  // MARK: Jobs

  /// `total`: how many items it has, if that is known.
  case jobBegan(JobID, WorkerKey, level: Int, total: Int?)
  /// So many items of its input have been read.
  case jobRead(JobID, count: Int)
  /// It reads no more: its total is what it has read.
  case jobReadAll(JobID)
  /// An item waits for it: it has this level now.
  case jobRaised(JobID, level: Int)
  case jobEnded(JobID, JobEnd, JobTotals)

  // MARK: Chunks and items

  /// The slot is given consecutive items: one chunk, or several, of `size` items each. It begins them now, or when it is done with
  /// those that it has.
  case chunkGiven(slot: Int, generation: Int, JobID, chunk: Int, items: Range<Int>, size: Int, attempt: Int)
  /// The slot has given these items of the chunk back, for others.
  case chunkReturned(slot: Int, JobID, chunk: Int, items: Range<Int>)
  /// The slot is done with the chunk. What has no outcome of it comes back.
  ///
  /// `items` have been run, in `elapsed` nanoseconds; `bytes` and `memory`, if the backend knows: of what travelled for them, and
  /// what the worker has resident, which is looked at now and then; `inputs` is that of which they are a part.
  case chunkFinished(
    slot: Int, JobID, chunk: Int, items: Int, elapsed: UInt64, bytes: ChunkBytes?, memory: Int?,
    inputs: any AnyObject & Sendable)
  /// Consecutive items have their outputs. Those of attempt 0 had them before they came, and `slot` is none.
  case itemsDone(JobID, items: Range<Int>, slot: Int, attempt: Int)
  /// The item has failed for good; quarantined, if its cause says so. One of attempt 0 had done so before it came.
  case itemFailed(JobID, ItemFailure)
  /// The attempt failed, and there will be another, in `delay` nanoseconds at the earliest.
  case itemRetried(JobID, index: Int, slot: Int, attempt: Int, ItemFailure.Cause, delay: UInt64)
  /// The item may have ended its worker, or another may: it is tried by itself, which is no other attempt.
  case itemSetApart(JobID, index: Int, slot: Int, attempt: Int)

  // MARK: Members

  /// It works for the pool from now on. Its slots are none of the pool's: those are chunks that may be out.
  indirect case memberJoined(PoolMember)
  /// It takes no more. `isLost`: it was not heard of for as long as it may have something, which others get.
  indirect case memberLeft(PoolMember, isLost: Bool)
  /// So many chunks it has brought in vain: another was first, which had got them meanwhile, or nobody wants them any more.
  case resultsLate(member: String, count: Int)

  // MARK: Whoever observes

  /// So many events were dropped here, because whoever observes was too slow. Take a new ``PoolSnapshot``.
  case missed(count: Int)
}

/// An event, and when it happened, in the nanoseconds of the monotonic clock.
package struct PoolEvent: Sendable {
  package let time: UInt64
  package let event: DispatchEvent

  package init(time: UInt64, event: consuming DispatchEvent) {
    self.time = time
    self.event = event
  }
}

package enum PoolClosing: Sendable, Hashable {
  /// What was begun is finished.
  case shutDown
  /// What was read is finished.
  case drained
  /// All is given up.
  case terminated
}

/// How much of a chunk has travelled, where workers are elsewhere.
package struct ChunkBytes: Sendable, Hashable {
  /// Its items, to the worker.
  package var sent: Int
  /// Its outputs and failures, from the worker.
  package var received: Int

  package init(sent: Int, received: Int) { (self.sent, self.received) = (sent, received) }
}

/// What became of a job's items.
package struct JobTotals: Sendable, Hashable {
  package var read = 0
  package var done = 0
  package var failed = 0
  /// Attempts that were followed by another.
  package var retried = 0

  package init() {}
}

/// Why the pool ends a worker.
package enum KillReason: Sendable {
  case timedOut(chunk: Int, index: Int, limit: UInt64)
  case setUpTimedOut(WorkerKey, limit: UInt64)
  case tearDownTimedOut(WorkerKey, limit: UInt64)
  /// It does not begin what it was given.
  case silent
  case endingTimedOut
  case startTimedOut
  case abandoned
  case terminated
}

/// How a worker left its slot.
package struct WorkerDeparture: Sendable {
  package enum Cause: Sendable {
    /// As it was told.
    case ended
    /// It shared its process with one that had to be ended.
    case endedWithAnother
    /// By itself.
    case died(ItemFailure.Cause)
    case killed(KillReason)
    /// It was killed, is not gone, and is waited for no longer.
    case givenUp(KillReason)
  }
  /// What it was at.
  package enum Activity: Sendable {
    case starting
    case settingUp(WorkerKey)
    case working
    case tearingDown(WorkerKey)
    case ending
    case idle
  }
  package let cause: Cause
  package let activity: Activity
  /// What was torn down beside that.
  package let leavers: [WorkerKey]
  /// How long it might have taken to end, as the pool's limits say.
  package let endingTime: UInt64
  /// What it has written last, where it was at a tear-down.
  package let standardError: String

  package init(
    cause: Cause, activity: Activity, leavers: [WorkerKey] = [], endingTime: UInt64, standardError: String = ""
  ) {
    (self.cause, self.activity, self.leavers, self.endingTime) = (cause, activity, leavers, endingTime)
    if case .tearingDown = activity { self.standardError = standardError } else { self.standardError = "" }
  }

  /// The tear-downs that it did not get to the end of, why, and whether another's worker was the reason; none also where it was ended together
  /// with its pool.
  var brokenTearDowns: [(worker: WorkerKey, failure: WorkerFailure, isBystander: Bool)] {
    var keys = leavers
    if case .tearingDown(let key) = activity { keys.append(key) }
    return keys.compactMap { key in
      switch cause {
      case .died(let cause): return (key, WorkerFailure(cause, standardError: standardError), false)
      case .killed(.tearDownTimedOut(key, let limit)), .givenUp(.tearDownTimedOut(key, let limit)):
        return (key, WorkerFailure(.timedOut(limit: .nanoseconds(limit)), standardError: standardError), false)
      case .endedWithAnother:
        let crash = ItemFailure.Crash(kind: .killedFromOutside, signal: 9)
        return (key, WorkerFailure(.crashed(crash), standardError: standardError), true)
      case .killed(.terminated), .givenUp(.terminated), .ended: return nil
      // For what it was at, or another that was torn down.
      case .killed, .givenUp:
        let crash = ItemFailure.Crash(kind: .killedFromOutside, signal: 9)
        return (key, WorkerFailure(.crashed(crash)), true)
      }
    }
  }
}
