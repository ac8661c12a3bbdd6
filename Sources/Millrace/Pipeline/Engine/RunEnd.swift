import MillraceIPC

/// How a pipeline's run has ended, and who waits for that.
final class RunEnd: Sendable {
  private struct State {
    var result: Result<Void, any Error>?
    var waiters: [UnsafeContinuation<Void, Never>] = []
    /// Those who wait no longer than until they are cancelled, by number.
    var leavers: [Int: UnsafeContinuation<Void, Never>] = [:]
    var nextLeaver = 0
  }
  private let state = Lock(State())

  /// Nil: it has not ended.
  var result: Result<Void, any Error>? { state.withLock { $0.result } }

  /// It has ended; `last` is done before those who wait go on.
  func set(_ result: Result<Void, any Error>, last: () -> Void) {
    let waiters = state.withLock { state in
      state.result = result
      defer { (state.waiters, state.leavers) = ([], [:]) }
      return state.waiters + state.leavers.values
    }
    last()
    for waiter in waiters { waiter.resume() }
  }

  /// Waits until nothing of it is left, or the task is cancelled, which is thrown.
  func waitOrUntilCancelled() async throws {
    let number = state.withLock { state in
      state.nextLeaver += 1
      return state.nextLeaver
    }
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let mustWait = state.withLock { state in
          if state.result != nil || Task.isCancelled { return false }
          state.leavers[number] = continuation
          return true
        }
        if !mustWait { continuation.resume() }
      }
    } onCancel: {
      state.withLock { $0.leavers.removeValue(forKey: number) }?.resume()
    }
    if result == nil { throw CancellationError() }
  }

  /// Waits until nothing of it is left, whoever cancels.
  func wait() async {
    await withUnsafeContinuation { continuation in
      let isOver = state.withLock { state in
        if state.result == nil { state.waiters.append(continuation) }
        return state.result != nil
      }
      if isOver { continuation.resume() }
    }
  }
}
