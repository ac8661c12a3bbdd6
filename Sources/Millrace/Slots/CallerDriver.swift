/// The consumers of a pool, where they do the work of its slots themselves.
package protocol CallerDriver: AnyObject, Sendable {
  /// The next outcomes of the job, for which the calling task works.
  func next(_ job: JobRecord, of pool: any DrivenPool) async -> Delivery

  /// Works for the job until that is over, though nobody waits for its outcomes, which go elsewhere.
  func drive(_ job: JobRecord, of pool: any DrivenPool) async

  /// Does what the slots have to do, though nobody waits for outcomes, until it is done: what has to end first may be others' work,
  /// and leave something to do behind.
  func runOn(_ pool: any DrivenPool, until isDone: @Sendable () -> Bool) async

  /// Something has happened in the pool.
  func hasNews()

  /// What reads a job's input, where the consumers do that as well.
  func makeFeeder<Input>(
    _ reader: Reader<Input>, into inbox: Inbox<Input>, report: @escaping @Sendable (Reading) -> Void
  ) -> any Feeding
}

/// A pool, as its consumers see it who do its work.
package protocol DrivenPool: SlotHost {
  /// Outcomes that are there already.
  func poll(_ job: JobRecord) -> Delivery?
  func cancel(_ job: JobRecord)
  /// Whether the consumer has the outcomes of all that was read of it.
  func hasDelivered(_ job: JobRecord) -> Bool
  /// Of all jobs.
  var feeders: [any Feeding] { get }
}
