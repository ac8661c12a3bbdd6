/// Where a job's outcomes go at once, instead of waiting for a consumer.
///
/// It *accepts* under the pool's lock and *flushes* after it, as slots do: so the outcomes come in their order, and their end
/// behind them, whoever steps the pool.
package protocol Outgoing: AnyObject, Sendable {
  /// Belongs to the job, which is about to be submitted.
  func connect(writer job: JobRecord, of pool: PoolCore)

  /// Takes outcomes of the job. Called under the pool's lock: it may only queue them.
  func accept(_ segment: Segment)

  /// The job has ended: nothing comes any more. Called under the pool's lock.
  func accept(_ end: JobEnd)

  /// Passes on what was queued. Called after the lock was released, by whoever stepped the pool.
  func flush()
}
