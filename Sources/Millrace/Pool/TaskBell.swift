import MillraceIPC

/// A bell that one task waits for. Rung while it does not, it need not wait the next time.
package final class TaskBell: Sendable {
  private struct State {
    var waiter: UnsafeContinuation<Void, Never>?
    var isRung = false
  }
  private let state = Lock(State())

  package init() {}

  package func ring() {
    state.withLock { state in
      state.isRung = true
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }

  package func waitForRing() async {
    await withUnsafeContinuation { continuation in
      let isRung = state.withLock { state in
        defer { state.isRung = false }
        if !state.isRung { state.waiter = continuation }
        return state.isRung
      }
      if isRung { continuation.resume() }
    }
  }
}
