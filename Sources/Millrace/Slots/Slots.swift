/// What a backend's slots are to the pool: they are told what to do and report what became of it.
///
/// Everything about *what* happens is decided by the ``Dispatcher``; a backend only carries it out. It reports by stepping
/// the pool's dispatcher (``SlotHost/step(_:)``), each time with the slot's generation, so that nothing a written-off worker
/// says is believed.
package protocol Slots: AnyObject, Sendable {
  /// Takes an action for a slot. Called under the pool's lock, in the dispatcher's order: it may only queue it.
  func accept(_ action: Action)

  /// Does what was queued. Called after the lock was released, by whoever stepped the dispatcher.
  func flush()

  /// Every slot is empty: ends what the backend itself consists of, then calls back.
  func close(then: @escaping @Sendable () -> Void)

  /// Checks that a worker can run here, before anything is begun.
  func validate(_ worker: WorkerRecord, _ options: MapOptions) throws

  /// How many items of a job are done in chunks that run, and will be told with their chunks. Called with no lock held.
  func untold(of job: JobID) -> Int

  /// The consumers, if they do the slots' work themselves.
  var driver: (any CallerDriver)? { get }
}

extension Slots {
  package var driver: (any CallerDriver)? { nil }
  /// Nothing: what is done comes as it is done, or nobody knows.
  package func untold(of job: JobID) -> Int { 0 }
}
