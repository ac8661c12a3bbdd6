import MillraceIPC

/// A lock for tasks: one has its turn, the others wait in the order in which they came.
package final class Turn: Sendable {
  private struct State {
    var isTaken = false
    var lastTicket: UInt64 = 0
    var waiting: [(ticket: UInt64, continuation: UnsafeContinuation<Bool, Never>)] = []
  }
  private let state = Lock(State())

  package init() {}

  /// Waits for the turn; false, and without it, if the task is cancelled while it would have to wait.
  package func take() async -> Bool {
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
          if Task.isCancelled { return false }
          state.waiting.append((ticket, continuation))
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

  /// How many wait.
  package var waiters: Int { state.withLock { $0.waiting.count } }
}
