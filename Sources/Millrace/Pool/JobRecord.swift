import MillraceIPC

/// What the pool keeps of a job besides the dispatcher's state. Its variables are guarded by the pool's lock.
package final class JobRecord: @unchecked Sendable {
  // Sound: `id`, `stage`, `place`, `context` and `progress` are set before it is submitted, the other variables change under the pool's lock only,
  // so that accesses do not overlap, and need no check; `wokenAt` is the consumer's while it does not wait.
  let feeder: any Feeding
  /// Where outcomes go at once; nil: they wait for a consumer.
  let outlet: (any Outgoing)?
  /// What some of its items have come to already.
  let known: (any Knowing)?
  /// Who goes along with it.
  let companion: (any MapCompanion)?
  let condition: (@Sendable (ItemFailure) -> Bool)?
  /// How long an item may take.
  let itemTimeout: Duration?
  /// The stage of a pipeline that it is.
  @exclusivity(unchecked) var stage: String?
  @exclusivity(unchecked) var id = JobID(0)
  /// Where its items run, for those who make pools and maps there.
  @exclusivity(unchecked) var place: Nesting.Place?
  /// What its items in this process see of the task that made it.
  @exclusivity(unchecked) var context: CallerContext?
  @exclusivity(unchecked) var queue = FIFO<Segment>()
  /// A consumer that waits is woken when so many segments are there, or the end.
  let wakesAt: Int
  /// Whether the consumer wants the outputs, and not only failures and the end.
  let keepsOutputs: Bool
  @exclusivity(unchecked) var end: JobEnd?
  /// When it has ended: what its items took in all, in nanoseconds, as far as that is known.
  @exclusivity(unchecked) var worked: UInt64 = 0
  /// Whether some of its outcomes were taken.
  @exclusivity(unchecked) var isTaken = false
  @exclusivity(unchecked) var waiter: UnsafeContinuation<Void, Never>?
  /// When its consumer last went on, having waited.
  @exclusivity(unchecked) var wokenAt: UInt64 = 0
  /// What shows how far it is.
  @exclusivity(unchecked) var progress: ProgressTracker?
  /// When the wait for the next result is over.
  @exclusivity(unchecked) var waitsUntil: UInt64?

  init(
    feeder: any Feeding, options: MapOptions, wakesAt: Int, keepsOutputs: Bool, outlet: (any Outgoing)? = nil,
    known: (any Knowing)? = nil, companion: (any MapCompanion)? = nil
  ) {
    self.feeder = feeder
    self.outlet = outlet
    self.known = known
    self.companion = companion
    condition = options.retry.condition
    itemTimeout = options.timeouts.item
    self.wakesAt = wakesAt
    self.keepsOutputs = keepsOutputs
  }

  /// Takes what its items are to see from the calling task; throws where it cannot run.
  func enter(_ core: PoolCore, hasContext: Bool) throws(WorkerPoolError) {
    try core.expectOwnProcess()
    guard hasContext else { return }
    let level = Nesting.level(in: core)
    guard level <= Nesting.maximumLevel else {
      throw WorkerPoolError(
        .nestedTooDeep,
        "a map inside \(level) items of the same pool; at most \(Nesting.maximumLevel) may be nested")
    }
    place = Nesting.Place(
      in: core, level: level, depth: core.depth, outer: Nesting.place, progress: progress?.number)
    context = CallerContext()
  }

  deinit {
    // An input's iterator, a condition's closure, outputs, errors.
    Unlocked.release((feeder, outlet, known, condition, queue, end))
  }
}

/// What a consumer gets.
package enum Delivery: Sendable {
  case segment(Segment)
  case end(JobEnd)
  /// No result came within the limit.
  case timedOut
}

/// Reads a job's input when told to.
package protocol Feeding: AnyObject, Sendable {
  /// Reads so many items and reports. Called without any lock.
  func read(_ count: Int)
  /// What has come of the read that is under way; nil, and the reader reports with the next item, if that is nothing. Called
  /// under the pool's lock.
  func collect() -> Batch?
  /// What was collected is with the dispatcher. Called without any lock.
  func collected()
  /// Reads what is asked for, or some of it, where the consumer does that, and if it may block also what may; false if nothing was read
  /// here.
  func readInCaller(mayBlock: @autoclosure () -> Bool) -> Bool
  /// The last that is taken: what has come and was not collected. The reader puts no more in, but what it has just taken from its input.
  /// Called under the pool's lock.
  func collectRest() -> Batch?
  /// Nothing more will be asked. Called without any lock.
  func end()
  /// After the end: waits until nobody is in the input any more, in bounds.
  func waitUntilOut() async
  func blockUntilOut()
  /// Ends it, and waits until what it has taken from the input is there, in bounds.
  func readNoFurther() async
  /// Whether reading takes no time, so that one may ask for much at once.
  var readsAtOnce: Bool { get }
}

extension Feeding {
  package var readsAtOnce: Bool { false }
  package func collected() {}
  package func readInCaller(mayBlock: @autoclosure () -> Bool) -> Bool { false }
  package func waitUntilOut() async {}
  package func blockUntilOut() {}
  package func collectRest() -> Batch? { nil }
  package func readNoFurther() async {
    end()
    await waitUntilOut()
  }
}
