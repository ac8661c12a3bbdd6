import MillraceIPC
import Synchronization

/// Where whoever puts into a run waits while it is paused.
final class PauseGate: Sendable {
  private struct State {
    var waiters: [UInt64: UnsafeContinuation<Void, Never>] = [:]
    var last: UInt64 = 0
  }
  /// Apart from the rest, as it is asked with each item.
  private let isClosed = Atomic(false)
  private let state = Lock(State())

  func close() { state.withLock { _ in isClosed.store(true, ordering: .relaxed) } }

  func open() {
    let waiters = state.withLock { state in
      isClosed.store(false, ordering: .relaxed)
      defer { state.waiters = [:] }
      return state.waiters.values
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Waits until it is open.
  ///
  /// - Throws: `CancellationError` if the task is cancelled meanwhile.
  func pass() async throws {
    guard isClosed.load(ordering: .relaxed) else { return }
    let number = state.withLock { state in
      state.last += 1
      return state.last
    }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let waits = state.withLock { state in
          guard isClosed.load(ordering: .relaxed), !Task.isCancelled else { return false }
          state.waiters[number] = continuation
          return true
        }
        if !waits { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume()
    }
    try Task.checkCancellation()
  }
}
