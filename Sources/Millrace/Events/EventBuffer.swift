import MillraceIPC

/// What one observer has not taken yet of a pool's events: so many at the most, then the oldest are dropped, and counted.
///
/// The pool puts them in under its lock, so that they are in the order in which they happened, and wakes the observer, if it waits,
/// after it. The lock of the buffer is held for nothing but moving events: whoever observes runs with none.
package final class EventBuffer: EventObserver {
  private struct State: ~Copyable {
    var events = FIFO<PoolEvent>()
    var missed = 0
    var waiter: UnsafeContinuation<Void, Never>?
    var hasEnded = false
  }
  private let state = Lock(State())
  private let limit: Int

  package init(limit: Int) { self.limit = max(1, limit) }

  /// Takes the event in; returns the one that was dropped for it, which may hold what is the user's, so that no lock is held when it goes.
  package func accept(_ event: PoolEvent) -> PoolEvent? {
    state.withLock { state in
      if state.hasEnded { return nil }
      state.events.append(event)
      guard state.events.count > limit else { return nil }
      state.missed += 1
      return state.events.popFirst()
    }
  }

  /// Wakes the observer, if it waits and there is something.
  package func flush() {
    let waiter = state.withLock { state in
      if state.events.isEmpty, !state.hasEnded { return nil as UnsafeContinuation<Void, Never>? }
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  /// There will be no more events.
  package func end() {
    state.withLock { $0.hasEnded = true }
    flush()
  }

  /// All that is there, the oldest first, without waiting. If some before it were dropped, the first says how many.
  package func take() -> FIFO<PoolEvent> {
    state.withLock { state in
      var events = FIFO<PoolEvent>()
      swap(&events, &state.events)
      if state.missed > 0, let first = events.first {
        events.prepend(PoolEvent(time: first.time, event: .missed(count: state.missed)))
        state.missed = 0
      }
      return events
    }
  }

  /// Waits until there is something; false at the end, or if the task is cancelled. For one task at a time.
  package func wait() async -> Bool {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        let waits = state.withLock { state in
          guard state.events.isEmpty, !state.hasEnded, !Task.isCancelled else { return false }
          state.waiter = continuation
          return true
        }
        if !waits { continuation.resume() }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume()
    }
    return state.withLock { !$0.events.isEmpty }
  }
}
