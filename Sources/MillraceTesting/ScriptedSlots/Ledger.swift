import Millrace

/// A promise of the dispatcher that was broken.
package struct BrokenPromise: Error, CustomStringConvertible {
  package let description: String
}

/// What an onlooker knows of a ``Simulation``: it hears what the dispatcher is told and what it wants done, and checks
/// that the one follows from the other.
struct Ledger {
  /// What became of an item, as far as the dispatcher was told.
  struct Item {
    enum State {
      case waiting
      case at(slot: Int)
      /// Its output was handed over.
      case done(attempt: Int)
      /// So many attempts have failed.
      case failed
      /// It had its outcome when it came.
      case known(Known)
      case delivered
    }
    enum Known { case output, failure }
    var state = State.waiting
    /// Attempts that have failed, each by what the item itself did.
    var failures = 0
    var lastFailure: UInt64 = 0
    /// It was delivered as a failure.
    var hasFailed = false
    /// It came as a failure.
    var cameFailed = false
    /// The attempt that may be running yet, in a worker that was given up.
    var last: Int?
    /// What ended an attempt by the death of its worker, which may have come from outside.
    var deaths: [Int: Verdict] = [:]
    /// It was one of several that may have ended their worker, and has to be tried by itself.
    var isSuspect = false
    /// Its outcome was told.
    var isTold = false
    /// So many of its attempts were told to be followed by another.
    var retriesTold = 0
  }

  struct Job {
    var plan: JobPlan
    let worker: WorkerKey
    /// The largest chunk, where chunks are not sized by what they take.
    let largestChunk: Int
    var items: [Item] = []
    var reading: Int?
    /// What the window allowed when a chunk was asked for of which a part has not come yet.
    var limit: Int?
    /// What the consumer has taken.
    var taken = 0
    var delivered = 0
    var next = 0
    var inputEnded = false
    var isClosedToInput = false
    /// Its reading was stopped before its input's end.
    var isStopped = false
    var end: JobEnd?
    var isReleased = false
    /// When it was submitted, or its time began anew.
    var began: UInt64 = 0
    var hasBegun = false
    var wasCancelled = false
    var wasFailed = false

    /// Items that were read and are inside the window.
    var inside: Int { items.count - (plan.isPulled ? taken : delivered) }
  }

  struct Held {
    let id: Int
    let job: JobID
    var range: Range<Int>
    let grain: Int
    let attempt: Int
    let isSuspect: Bool

    /// How many chunks it is.
    var count: Int { (range.count + grain - 1) / grain }
  }

  struct Slot {
    enum Phase { case down, starting, up, ending }
    enum Errand: Equatable { case preparing(WorkerKey), tearingDown(WorkerKey) }
    var phase = Phase.down
    var generation = 0
    var held: [Held] = []
    /// Chunks that it was asked to give back and did not.
    var kept: Set<Int> = []
    /// When something was last heard of its chunks, or they began.
    var heardAt: UInt64 = 0
    /// Chunks of which nothing was left behind the item that ran when a part of them was asked for.
    var atLast: Set<Int> = []
    var errand: Errand?
    /// Since when it is on its errand, or ends.
    var since: UInt64 = 0
    /// Since when it is known that nobody wants its set-up.
    var unwantedSince: UInt64?
    var prepared: [WorkerKey] = []
    /// What was taken out of it and is torn down beside what it is at, by number, and since when.
    var leavers: [Int: (worker: WorkerKey, since: UInt64)] = [:]
    /// Set-ups that have failed here since the last one that did not, or since the slot was to begin anew.
    var setUpFailures: [WorkerKey: Int] = [:]
    /// Workers of which it was said that they are left to other slots.
    var givenUp: Set<WorkerKey> = []
    /// How often it got no worker, or one that died at once, since it had one; and when last.
    var startTroubles = 0
    var troubledAt: UInt64?
    /// Which of all chunks it was given last.
    var lastGiven = 0
    /// Items that it was given and did not give back, by worker.
    var served: [WorkerKey: Int] = [:]
    var isKilled = false
    var killedAt: UInt64 = 0
    /// It is killed for what is torn down beside what it is at.
    var isKilledForLeaver = false
    /// Chunks that were found behind others in their process.
    var behind: Set<Int> = []
    /// The item that it is killed for, if it is for one.
    var condemned: (chunk: Int, index: Int)?
  }

  struct Worker {
    var plan: SimulationPlan.WorkerPlan
    var users = 0
    var isClosing = false
    /// A user waits until it is closed.
    var isAwaited = false
    var isClosed = false
    /// When its last user went, counted; nil while it is used, or was never.
    var leftAt: Int?
    var setUpFailures = 0
  }

  var now: UInt64 = 0
  /// When the whole program last went on after a standstill.
  var revivedAt: UInt64 = 0
  /// When the pool got its width.
  var resizedAt: UInt64 = 0
  var jobs: [JobID: Job] = [:]
  /// Whether there was a death of which it is not known whose it was.
  var hasSuspects = false
  /// How many slots are at each job that only so many may serve.
  var holders: [JobID: Int] = [:]
  /// When one of them was last there for others.
  var rightFreedAt: UInt64 = 0
  var slots: [Slot] = []
  /// From which level on each slot takes work; nil: it takes none any more.
  var levels: [Int?] = []
  /// Chunks that were given to slots, counted, and how many of them before there were fewer slots.
  var given = 0
  var givenBefore = 0
  var workers: [WorkerKey: Worker] = [:]
  var width: Int
  let limits: DispatchLimits
  var prefetch: Int { limits.prefetch }
  var startTroubles = 0
  var departures = 0
  /// What a driver has said of what is running, in this step.
  var inspected: (slot: Int, chunk: Int, index: Int)?
  /// The worker whose set-up has failed in this step.
  var failedLast: (slot: Int, key: WorkerKey)?
  /// What was told of what happens.
  var told = Told()
  var isEnding = false
  var isTerminated = false
  var isStopped = false

  init(_ plan: SimulationPlan) {
    width = plan.width
    limits = plan.limits
  }

  func check(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw BrokenPromise(description: message()) }
  }

  func isLive(_ slot: Int, _ generation: Int) -> Bool {
    slots.indices.contains(slot) && slots[slot].generation == generation && slots[slot].phase != .down
  }

  // MARK: What an item's outcome has to be

  enum Verdict: Equatable { case output, threw, crashed, exited, timedOut, quarantined(Int) }

  /// What follows from what the item does: the one outcome that it can have.
  func verdict(_ job: Job, _ index: Int) -> (verdict: Verdict, attempt: Int)? {
    let plan = job.plan
    var crashes = 0
    for attempt in 1... {
      var verdict: Verdict
      switch plan.behaviour(index, attempt: attempt) {
      case .works, .isSlow, .dawdles, .nests: verdict = .output
      case .throwsError: verdict = .threw
      case .traps: verdict = .crashed
      case .exits: verdict = .exited
      case .overruns: verdict = plan.itemTimeout == nil ? .output : .timedOut
      case .stalls:
        verdict = .timedOut
      }
      if let death = job.items[index].deaths[attempt] {
        verdict = death
      } else if plan.behaviour(index, attempt: attempt) == .stalls, plan.itemTimeout == nil {
        return nil
      }
      if verdict == .output { return (.output, attempt) }
      let isCrash = verdict == .crashed || verdict == .exited
      if isCrash { crashes += 1 }
      if isCrash, crashes >= plan.crashLimit, plan.retries > 0 { return (.quarantined(crashes), attempt) }
      let isLast = attempt > plan.retries || !plan.isRetryable(index, attempt: attempt)
      if isLast || job.items[index].last == attempt { return (verdict, attempt) }
    }
    return nil
  }

  /// Whether the item is in no slot, and has to come to one yet.
  func isToBeRun(_ job: Job, _ index: Int) -> Bool {
    switch job.items[index].state {
    case .waiting: true
    case .failed: verdict(job, index).map { $0.attempt > job.items[index].failures } ?? true
    default: false
    }
  }

  static func verdict(of cause: ItemFailure.Cause) -> Verdict? {
    switch cause {
    case .threw: .threw
    case .crashed: .crashed
    case .exited: .exited
    case .timedOut: .timedOut
    case .quarantined(let crashes, _): .quarantined(crashes)
    case .setUpFailed, .undecodable: nil
    }
  }
}
