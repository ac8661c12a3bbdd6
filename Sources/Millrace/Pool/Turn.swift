import MillraceIPC

/// A lock for tasks: one has its turn, the others wait in the order in which they came.
package final class Turn: Sendable {
  private struct Waiter {
    let ticket: UInt64
    let owner: ObjectIdentifier?
    let continuation: UnsafeContinuation<Bool, Never>
  }

  private struct State {
    var isTaken = false
    var lastTicket: UInt64 = 0
    var waiting: [Waiter] = []
  }
  private let state = Lock(State())

  package init() {}

  /// Waits for the turn; false, and without it, if it would have to wait and the task is cancelled, or the owner need not wait.
  ///
  /// - Parameters:
  ///   - owner: whom ``dismiss(_:)`` names.
  ///   - isOver: whether the owner need not wait.
  package func take(for owner: AnyObject? = nil, unless isOver: () -> Bool = { false }) async -> Bool {
    let owner = owner.map(ObjectIdentifier.init)
    let ticket = state.withLock { state in
      state.lastTicket += 1
      return state.lastTicket
    }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let answer: Bool? = state.withLock { state in
          if !state.isTaken {
            state.isTaken = true
            return true
          }
          if Task.isCancelled || isOver() { return false }
          state.waiting.append(Waiter(ticket: ticket, owner: owner, continuation: continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let cancelled = state.withLock { state in
        state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0).continuation }
      }
      cancelled?.resume(returning: false)
    }
  }

  /// Gives the turn to the next who waits.
  package func pass() {
    let next = state.withLock { state -> UnsafeContinuation<Bool, Never>? in
      if state.waiting.isEmpty {
        state.isTaken = false
        return nil
      }
      return state.waiting.removeFirst().continuation
    }
    next?.resume(returning: true)
  }

  /// The owner need not wait any more.
  package func dismiss(_ owner: AnyObject) {
    let owner = ObjectIdentifier(owner)
    let dismissed = state.withLock { state -> [Waiter] in
      guard !state.waiting.isEmpty else { return [] }
      defer { state.waiting.removeAll { $0.owner == owner } }
      return state.waiting.filter { $0.owner == owner }
    }
    for waiter in dismissed { waiter.continuation.resume(returning: false) }
  }

  /// How many wait.
  package var waiters: Int { state.withLock { $0.waiting.count } }
}
