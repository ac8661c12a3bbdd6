/// The events of a pool from the moment on at which a loop over them begins, to the pool's end.
///
/// A loop that is slower than the pool misses the oldest, and hears of that (``DispatchEvent/missed(count:)``); it never holds the pool up.
package struct PoolEvents: AsyncSequence, Sendable {
  package typealias Element = PoolEvent
  let core: PoolCore
  let buffer: Int

  package func makeAsyncIterator() -> Iterator { Iterator(core.observe(buffer: buffer).subscription) }

  package struct Iterator: AsyncIteratorProtocol {
    private let subscription: EventSubscription
    private var taken = FIFO<PoolEvent>()

    init(_ subscription: EventSubscription) { self.subscription = subscription }

    package mutating func next() async -> PoolEvent? {
      while true {
        if let event = taken.popFirst() { return event }
        guard await subscription.buffer.wait() else { return nil }
        taken = subscription.buffer.take()
      }
    }
  }
}

@available(*, unavailable)
extension PoolEvents.Iterator: Sendable {}

/// A buffer, and its place in the pool, which it has for as long as this is kept.
package final class EventSubscription: Sendable {
  package let buffer: EventBuffer
  private let observation: Observation

  init(_ buffer: EventBuffer, _ core: PoolCore) {
    self.buffer = buffer
    observation = Observation(buffer, core)
  }
}

extension WorkerPool {
  /// What happens in the pool from now on.
  package var events: PoolEvents { events(buffer: 4_096) }

  /// The same, with so many events for a loop that is late.
  package func events(buffer: Int) -> PoolEvents { PoolEvents(core: core, buffer: buffer) }

  /// Tells the observer of all that happens from now on, for as long as the observation is kept.
  ///
  /// - Parameter begin: called with the pool as it is, before the first event; under the pool's lock.
  package func observe(with observer: any EventObserver, from begin: (PoolSnapshot) -> Void) -> Observation {
    core.observe(with: observer, from: begin)
  }

  /// How many observe it.
  package var observerCount: Int { core.observerCount }

  /// The pool as it is.
  package var snapshot: PoolSnapshot { core.snapshot }

  /// The pool as it is, and all that happens after that: applied to the snapshot one after the other, they are the pool as it is then.
  package func observe(buffer: Int = 4_096) -> (snapshot: PoolSnapshot, subscription: EventSubscription) {
    core.observe(buffer: buffer)
  }
}
