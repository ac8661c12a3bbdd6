/// What the pool keeps of a job besides the dispatcher's state. Its variables are guarded by the pool's lock.
package final class JobRecord: @unchecked Sendable {
  // Sound: `queue`, `end`, `waiter`, `isReleased` and `demand` change under the pool's lock only.
  let feeder: any Feeding
  let condition: (@Sendable (ItemFailure) -> Bool)?
  /// How long an item may take.
  let itemTimeout: Duration?
  var id = JobID(0)
  var queue = FIFO<Segment>()
  /// A consumer that waits is woken when so many segments are there, or the end.
  let wakesAt: Int
  /// Whether the consumer wants the outputs, and not only failures and the end.
  let keepsOutputs: Bool
  var end: JobEnd?
  var waiter: UnsafeContinuation<Void, Never>?
  /// When the wait for the next result is over.
  var waitsUntil: UInt64?
  var isReleased = false

  init(feeder: any Feeding, options: MapOptions, wakesAt: Int, keepsOutputs: Bool) {
    self.feeder = feeder
    condition = options.retry.condition
    itemTimeout = options.timeouts.item
    self.wakesAt = wakesAt
    self.keepsOutputs = keepsOutputs
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
  /// Nothing more will be asked. Called without any lock.
  func end()
  /// After the end: waits until nobody is in the input any more, in bounds.
  func waitUntilOut() async
  func blockUntilOut()
  /// Whether reading takes no time, so that one may ask for much at once.
  var readsAtOnce: Bool { get }
}

extension Feeding {
  package var readsAtOnce: Bool { false }
  package func waitUntilOut() async {}
  package func blockUntilOut() {}
}
