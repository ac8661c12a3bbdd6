import MillraceIPC

/// A lock for tasks: one has its turn, the others wait in the order in which they came.
package final class Turn: Sendable {
  private struct Waiter {
    let ticket: UInt64
    let continuation: UnsafeContinuation<Bool, Never>
  }

  private struct State {
    var isTaken = false
    /// Whether somebody would have taken it, and did not wait.
    var isWanted = false
    var lastTicket: UInt64 = 0
    var waiting: [Waiter] = []
  }
  private let state = Lock(State())

  package init() {}

  /// Waits for the turn; false, and without it, if it would have to wait and the task is cancelled.
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
          state.waiting.append(Waiter(ticket: ticket, continuation: continuation))
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

  /// Takes the turn if nobody has it; else whoever has it hears of that when it passes it on.
  package func takeIfFree() -> Bool {
    state.withLock { state in
      if state.isTaken { state.isWanted = true }
      defer { state.isTaken = true }
      return !state.isTaken
    }
  }

  /// Gives the turn to the next who waits. Whether somebody else would have taken it meanwhile.
  @discardableResult
  package func pass() -> Bool {
    let (next, isWanted) = state.withLock { state -> (UnsafeContinuation<Bool, Never>?, Bool) in
      defer { state.isWanted = false }
      if state.waiting.isEmpty {
        state.isTaken = false
        return (nil, state.isWanted)
      }
      return (state.waiting.removeFirst().continuation, state.isWanted)
    }
    next?.resume(returning: true)
    return isWanted
  }

  /// How many wait.
  package var waiters: Int { state.withLock { $0.waiting.count } }
}
