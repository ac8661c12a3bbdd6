package import Logging

/// The pool, as the slots of a backend see it: whom they tell what became of each action, and what they may ask.
package protocol SlotHost: AnyObject, Sendable {
  /// Tells the dispatcher something, at the time that it is given, and carries out what it decides. Never with a lock held.
  func step(_ event: (inout Dispatcher, UInt64) -> Void)

  /// The worker that an action speaks of; nil if nobody wants it any more.
  func worker(_ key: WorkerKey) -> WorkerRecord?

  /// Whether the map's policy, were there attempts left, would try the item again. It may be a user's closure. Without a cause: its
  /// time is over.
  func isRetryable(_ chunk: Chunk, _ index: Int, _ slot: Int, _ cause: ItemFailure.Cause?) -> Bool

  /// An instance of the worker has been torn down, and has left a value or an error. To be said before `tornDown`.
  func exited(_ key: WorkerKey, slot: Int, _ result: Result<any Sendable, any Error>)

  /// The map of a chunk, for what its items see of whoever made it; nil if nobody wants it any more.
  func job(_ id: JobID) -> JobRecord?

  /// How long an item of the job may take, if that is still of interest.
  func itemTimeout(_ id: JobID) -> Duration?

  /// The stage of a pipeline that the job is, if it is one.
  func stage(of id: JobID) -> String?

  /// The backend cannot go on: all that was begun ends with the error, and so does what comes.
  func lose(_ error: WorkerPoolError)

  /// Whether anybody waits for something.
  var hasLiveJobs: Bool { get }

  /// Where code of a worker's is that is no map's: a set-up, a tear-down.
  func place(of worker: WorkerKey, inSlot slot: Int) -> Nesting.Place

  /// Whether anybody wants to know now and then how much memory workers have.
  var samplesMemory: Bool { get }

  /// Where the pool says what it has to say.
  var logger: Logger { get }
}

extension SlotHost {
  package var samplesMemory: Bool { false }

  package func logger(slot: Int) -> Logger {
    var logger = logger
    logger[metadataKey: "slot"] = "\(slot)"
    return logger
  }
}
