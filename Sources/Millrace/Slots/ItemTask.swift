import MillraceIPC

/// The task in which items run, or a set-up: it may be cancelled before it is known, and after it has ended.
package final class ItemTask: Sendable {
  private struct State {
    var task: Task<Void, Never>?
    var isCancelled = false
    var isOver = false
  }
  private let state = Lock(State())

  /// The task was made, and may have ended already.
  func begin(_ task: Task<Void, Never>) {
    let mustCancel = state.withLock { state in
      if !state.isOver { state.task = task }
      return state.isCancelled
    }
    if mustCancel { task.cancel() }
  }

  func end() {
    state.withLock { state in
      state.isOver = true
      state.task = nil
    }
  }

  /// Runs the cancellation handlers of the items' code: never with a lock held.
  func cancel() {
    Unlocked.expect("a cancellation handler")
    let task = state.withLock { state in
      state.isCancelled = true
      return state.task
    }
    task?.cancel()
  }
}
