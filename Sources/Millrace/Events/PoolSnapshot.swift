/// A pool at one moment, as a value.
package struct PoolSnapshot: Sendable, Hashable {
  /// What a slot has been given.
  package struct Work: Sendable, Hashable {
    package let chunk: Int
    package let job: JobID
    /// Those that have no outcome yet.
    package var items: Range<Int>
    package let attempt: Int

    package init(chunk: Int, job: JobID, items: Range<Int>, attempt: Int) {
      (self.chunk, self.job, self.items, self.attempt) = (chunk, job, items, attempt)
    }
  }

  package struct Slot: Sendable, Hashable {
    package enum State: Sendable, Hashable {
      /// It is no part of the pool.
      case closed
      /// It has no worker, and gets one when there is work.
      case empty
      case starting
      /// The worker waits for work.
      case idle
      case settingUp(WorkerKey)
      case working
      case tearingDown(WorkerKey)
      /// The worker was told to end.
      case ending
      /// The worker is being ended, whatever it is at.
      case killed
    }
    package var state: State
    /// Above 0 for a spare slot, for maps inside items.
    package var level: Int
    /// How many workers it has had.
    package var generation: Int
    /// The first is the one that may be running.
    package var work: [Work] = []
    /// Since when the first may be running.
    package var since: UInt64?

    package init(state: State, level: Int, generation: Int, work: [Work] = [], since: UInt64? = nil) {
      (self.state, self.level, self.generation, self.work, self.since) = (state, level, generation, work, since)
    }

    package var job: JobID? { work.first?.job }
  }

  package struct Job: Sendable, Hashable {
    package let worker: WorkerKey
    package var level: Int
    /// How many items it has, if that is known.
    package var total: Int?
    package var counts = JobTotals()
    /// Items at slots.
    package var running = 0
    /// It reads no more.
    package var hasReadAll = false

    package init(
      worker: WorkerKey, level: Int, total: Int?, counts: JobTotals = JobTotals(), running: Int = 0,
      hasReadAll: Bool = false
    ) {
      (self.worker, self.level, self.total, self.counts) = (worker, level, total, counts)
      (self.running, self.hasReadAll) = (running, hasReadAll)
    }

    /// Items that were read and are at no slot: before it, or to be tried again.
    package var queued: Int { counts.read - counts.done - counts.failed - running }
  }

  package var time: UInt64
  package var width: Int
  package var closing: PoolClosing?
  package var hasStopped = false
  package var slots: [Slot] = []
  /// Those that are not over.
  package var jobs: [JobID: Job] = [:]
  /// Who works for it elsewhere, by name.
  package var members: [String: PoolMember] = [:]
  /// How many chunks they have brought in vain.
  package var lateResults = 0

  package init(time: UInt64, width: Int, closing: PoolClosing? = nil, hasStopped: Bool = false) {
    (self.time, self.width, self.closing, self.hasStopped) = (time, width, closing, hasStopped)
  }
}
