import Synchronization

/// A lock for tasks: one has its turn, the others wait in the order in which they came.
final class Turn: Sendable {
  private struct State {
    var isTaken = false
    var nextTicket = 0
    var waiting: [(ticket: Int, continuation: CheckedContinuation<Void, any Error>)] = []
  }

  private let state = Mutex(State())

  /// Waits for the turn.
  ///
  /// - Throws: `CancellationError` if the task is cancelled while it waits; then it does not have the turn.
  func take() async throws {
    let ticket = state.withLock { state in
      defer { state.nextTicket += 1 }
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let answer: Result<Void, any Error>? = state.withLock { state in
          // Cancelled before: the handler has run and found nobody.
          if Task.isCancelled { return .failure(CancellationError()) }
          if !state.isTaken {
            state.isTaken = true
            return .success(())
          }
          state.waiting.append((ticket, continuation))
          return nil
        }
        if let answer { continuation.resume(with: answer) }
      }
    } onCancel: {
      let cancelled = state.withLock { state in
        state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0).continuation }
      }
      cancelled?.resume(throwing: CancellationError())
    }
  }

  /// Gives the turn to the next who waits.
  func pass() {
    let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      if state.waiting.isEmpty {
        state.isTaken = false
        return nil
      }
      return state.waiting.removeFirst().continuation
    }
    next?.resume()
  }

  /// How many wait.
  var waiters: Int { state.withLock { $0.waiting.count } }
}
