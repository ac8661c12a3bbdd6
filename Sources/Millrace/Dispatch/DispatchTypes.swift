/// One map on a pool.
package struct JobID: Hashable, Comparable, Sendable {
  package let value: Int
  package init(_ value: Int) { self.value = value }
  package static func < (left: JobID, right: JobID) -> Bool { left.value < right.value }
}

/// One worker of the user's (a type with its configuration, or a closure), of which each slot has an instance of its own.
package struct WorkerKey: Hashable, Comparable, Sendable {
  package let value: Int
  package init(_ value: Int) { self.value = value }
  package static func < (left: WorkerKey, right: WorkerKey) -> Bool { left.value < right.value }
}

/// Consecutive items of one job: a chunk, which travels as one, or a *batch*, several chunks in a row.
///
/// A slot is given a batch as one, so that small chunks cost the dispatcher little, but begins, answers and gives back each of
/// its chunks for itself.
package struct Chunk {
  package internal(set) var id: Int
  package let job: JobID
  package let worker: WorkerKey
  /// Of the job's random streams.
  package let seed: UInt64
  /// The items that have no outcome yet; its start moves up as outcomes arrive.
  package var range: Range<Int>
  /// How many items travel together; a batch has more, and only its last chunk may have less.
  package let grain: Int
  /// 1 for the first try.
  package var attempt = 1
  /// How often the first item of the range has crashed its worker.
  package var crashes = 0
  /// It was one of several items that may have ended their worker, and is run again by itself, in the slot in which it was.
  package internal(set) var isSuspect = false
  /// Not to be sent before this time (the back-off of a retry), in nanoseconds.
  package var notBefore: UInt64 = 0
  /// The only slot that may run it, for `.roundRobin`.
  package var slot: Int?
  /// The custody of the items: whoever reads the input made it, the dispatcher only passes it on.
  package let cell: any AnyObject & Sendable
  /// When to look at what the worker is doing, for the item timeout.
  package var inspectAt: UInt64?
  /// It was found to be behind another chunk: nothing is to be seen before that is done.
  var isBehind = false
  /// Nothing is behind the item that is running.
  var isAtItsLast = false
  /// How often a part of it was asked for before it was begun.
  var waits = 0
  /// Since when the worker was found before the same item (nil: before the chunk itself) without beginning it.
  var stuck: (before: Int?, since: UInt64)?
  /// When the worker is given up, because its job is over.
  package var abandonAt: UInt64?

  /// When to do something about it that is at a slot.
  var deadline: UInt64? {
    guard let inspectAt, let abandonAt else { return inspectAt ?? abandonAt }
    return min(inspectAt, abandonAt)
  }

  /// How many chunks it is.
  package var count: Int { range.count == grain ? 1 : (range.count + grain - 1) / grain }

  /// Cuts the chunks behind the first `count` off. Each chunk of a batch has a number of its own, counted from the batch's.
  package mutating func cut(after count: Int) -> Chunk { cut(at: range.lowerBound + count * grain) }

  /// Cuts the items from `index` on off, which is inside its range.
  package mutating func cut(at index: Int) -> Chunk {
    let upperBound = range.upperBound
    range = range.lowerBound..<index
    var rest = Chunk(
      id: id + count, job: job, worker: worker, seed: seed, range: index..<upperBound, grain: grain, attempt: attempt,
      cell: cell)
    rest.slot = slot
    rest.notBefore = notBefore
    return rest
  }
}

/// Outcomes on the way to the consumer: of consecutive items, either all with outputs or one failure.
package struct Segment: Sendable {
  package enum Content: Sendable {
    /// The outputs, made by the slot's driver and passed on unseen.
    case outputs(any AnyObject & Sendable)
    case failure(ItemFailure)
  }
  package let range: Range<Int>
  package let slot: Int
  package let attempt: Int
  package let content: Content
  /// The custody of these items' inputs.
  package let cell: any AnyObject & Sendable

  package init(range: Range<Int>, slot: Int, attempt: Int, content: Content, cell: any AnyObject & Sendable) {
    self.range = range
    self.slot = slot
    self.attempt = attempt
    self.content = content
    self.cell = cell
  }
}

/// How a job ended.
package enum JobEnd: Sendable {
  /// Every item has its outcome, all delivered.
  case complete
  /// It was cancelled.
  case cancelled
  /// An error ended it: an `ItemFailure` if the policy is to fail fast, a `WorkerPoolError`, or the input's own error.
  case failed(any Error)
}

/// How a worker left its slot.
package struct Death {
  /// The chunks of which an item was running, the first of the range, each with whether the policy lets that item be tried
  /// again. Several, where the worker was several processes.
  package var running: [Int: Bool]
  /// Nil: the pool itself ended it, perhaps for something that another slot did.
  package var cause: ItemFailure.Cause?
  package var standardError: String
  /// How many were running in the worker's process, here and in other slots, any of which may have ended it.
  package var suspects = 1
  /// It was dying of that before it was told to end, if it was: whatever that was for, this is why it died.
  package var isOwn = false

  package init(
    running: Int?, cause: ItemFailure.Cause?, retryable: Bool = true, standardError: String = ""
  ) {
    self.running = running.map { [$0: retryable] } ?? [:]
    self.cause = cause
    self.standardError = standardError
  }
}

/// What the dispatcher wants done.
///
/// Actions are routed in order; none of them is done while the dispatcher runs.
package enum Action {
  /// Pull up to so many items of the job's input, for chunks of at most `largest`.
  case read(JobID, count: Int, largest: Int)
  /// A slot is free: hand over what has come of the read that is under way, or else the next item as soon as it comes.
  case collect(JobID)
  /// Start a worker in the slot.
  case start(slot: Int, generation: Int)
  /// Run the worker's set-up.
  case prepare(slot: Int, generation: Int, WorkerKey)
  /// Tell the user's set-up, which is under way, that nobody wants its worker any more.
  case cancelSetUp(slot: Int, generation: Int, WorkerKey)
  case run(slot: Int, generation: Int, Chunk)
  /// Take back the chunk's items from `from` on that the slot has not begun: whole chunks of a batch.
  case revoke(slot: Int, generation: Int, chunk: Int, from: Int)
  /// Take back what the slot has not begun of the chunk that it is at: all but the current item.
  case share(slot: Int, generation: Int, chunk: Int)
  /// Say what the worker is doing about the chunk (``Inspection``).
  case inspect(slot: Int, generation: Int, chunk: Int)
  /// Tell the user's code in the slot that its work is no longer wanted.
  case cancel(slot: Int, generation: Int, chunk: Int)
  case tearDown(slot: Int, generation: Int, WorkerKey)
  /// Take the instance out of the worker, and tear it down beside what that is at; `tornDown` is told with the number.
  case tearDownApart(slot: Int, generation: Int, WorkerKey, number: Int)
  /// End the worker now.
  case kill(slot: Int, generation: Int)
  /// End the worker when it is idle, which it is.
  case stop(slot: Int, generation: Int)
  case deliver(JobID, Segment)
  /// And what its items took in all, in nanoseconds, as far as that was told by then.
  case end(JobID, JobEnd, worked: UInt64)
  /// Nothing of the job is left in any slot.
  case release(JobID)
  /// An item waits for the job, which has this level from now on.
  case raised(JobID, level: Int)
  /// No slot has an instance of the worker any more.
  case closed(WorkerKey)
  /// The pool has no workers left.
  case stopped
  /// Call `tick` at this time; nil: no need.
  case alarm(at: UInt64?)
  /// Something has happened. For observers and the log; nothing is to be done about it.
  case note(PoolEvent)
}

/// What a worker was found doing about a chunk that it was given.
package enum Inspection: Sendable {
  /// It is at something else, and will come to the chunk.
  case waiting
  /// Its process has another chunk before it, and comes to it when that is done.
  case behind
  /// It has nothing else to do, and has not taken the chunk.
  case untouched
  /// It is at this item, since then; nil: it has not begun it.
  case item(Int, since: UInt64?)
}

/// What a slot gave back of the chunk that it is at.
package enum Sharing: Equatable, Sendable {
  /// Its items from this index on.
  case from(Int)
  case nothing
  /// It has not begun the chunk yet, or is between two items.
  case notYet
}

/// What the pool does about deaths and limits, whatever the job.
package struct DispatchLimits: Sendable {
  /// What is made of slots that get no worker.
  package var starts = StartPolicy()
  /// How often in a row a worker may fail to be set up in a slot, before the slot is left out.
  package var maximumSetUps = 3
  /// How long an item of a job that is over may go on before its worker is ended.
  package var cancellationGrace: UInt64 = 300_000_000
  /// How long a worker may take to begin what it has before it, where items have a limit; a longer limit holds instead.
  package var silence: UInt64 = 1_000_000_000
  /// How long a worker may take to be gone after it was told to end.
  package var endingTime: UInt64 = 5_000_000_000
  /// How long a worker may take to start; nil: it is started at once, and needs nobody's good will.
  package var startTime: UInt64? = 30_000_000_000
  /// How long a set-up or tear-down for which its map has no limit may take once its end alone is waited for.
  package var leavingTime: UInt64 = 30_000_000_000
  /// How long a worker that was killed may take to be gone, before it is given up.
  package var killTime: UInt64 = 10_000_000_000
  /// How many workers that no job uses stay set up for the next; those that were used last.
  package var keptWorkers = 16
  /// How many chunks may wait at a slot behind the one that runs, at the most.
  package var prefetch = 0
  /// A map inside an item runs in spare slots of its own level only, as where the consumers themselves do the work.
  package var levelsAreApart = false
  /// A worker for whose end somebody waits is torn down beside what its slots are at, which may be waiting for just that.
  package var tearsDownApart = false
  /// How many levels of maps there may be, for those that are raised.
  package var mostLevels = Nesting.maximumLevel
  /// How long a chunk of several items may be under way before it is shared with a slot that has nothing to do; nil: it is not.
  package var shareTime: UInt64?
  /// For how long what comes of an input that runs at its full speed is gathered, though a slot is free; nil: it is not.
  package var gatherTime: UInt64?
  /// Chunks wait at a slot only for as much work as this.
  package var prefetchTime: UInt64 = 200_000

  /// How long an automatic chunk should take: long against what it costs to send one.
  package var chunkTime: UInt64 = 1_000_000
  /// What it takes to send a chunk, and to hear of its end, is weighed against what it takes to run it: a chunk may be far from who runs it.
  package var weighsSending = false

  /// For slots that can share what they have begun.
  package static let usualShareTime: UInt64 = 2_000_000
  /// Not longer than it takes to wake a few threads.
  package static let usualGatherTime: UInt64 = 50_000

  package init() {}
}

extension ItemFailure.Cause? {
  /// Of a worker that the pool itself has ended.
  package static var cancelled: Self { nil }
  package var isCancelled: Bool { self == nil }

  /// Whether somebody else ended the worker.
  package var isFromOutside: Bool {
    if case .crashed(let crash)? = self { crash.kind == .killedFromOutside } else { false }
  }
}

extension ItemFailure.Cause {
  /// A crash, for the targets that cannot make one otherwise.
  package static func crashed(_ kind: ItemFailure.Crash.Kind, signal: Int32) -> Self {
    .crashed(ItemFailure.Crash(kind: kind, signal: signal))
  }
}
