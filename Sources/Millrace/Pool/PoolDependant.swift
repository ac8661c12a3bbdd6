/// What runs on a pool, and beside it: the run of a pipeline, some of whose stages have slots of their own. It ends with the pool.
///
/// Called with no lock held.
protocol PoolDependant: AnyObject, Sendable {
  /// The pool takes no more: nothing more is to be read, and what was read is to be finished, though nobody may take what comes of it.
  func poolDrains(_ error: any Error)
  /// The pool gives up what was begun.
  func poolIsTerminated()
  /// Waits until nothing of it is left.
  func waitUntilOver() async
  /// Whether this is code of its own, which would wait for itself.
  var isInside: Bool { get }
}
