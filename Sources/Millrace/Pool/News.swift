import MillraceIPC

/// Whether anything has happened: what the consumers of a serial pool wait for who have nothing to do themselves.
///
/// Whoever waits first notes the count, then looks for work; what happens in between is not missed.
final class News: Sendable {
  private struct State {
    var count: UInt64 = 0
    var sleepers: [UnsafeContinuation<Void, Never>] = []
  }
  private let state = Lock(State())

  var count: UInt64 { state.withLock { $0.count } }

  /// Something has happened.
  func tell() {
    let sleepers = state.withLock { state in
      state.count += 1
      defer { if !state.sleepers.isEmpty { state.sleepers = [] } }
      return state.sleepers
    }
    for sleeper in sleepers { sleeper.resume() }
  }

  /// Waits until something has happened since the count was noted, or the task is cancelled.
  func wait(since count: UInt64) async {
    await withTaskCancellationHandler {
      await sleep(since: count) { Task.isCancelled }
    } onCancel: {
      tell()
    }
  }

  /// The same, cancelled or not.
  func waitNevertheless(since count: UInt64) async { await sleep(since: count) { false } }

  private func sleep(since count: UInt64, unless isOver: () -> Bool) async {
    await withUnsafeContinuation { continuation in
      let waits = state.withLock { state in
        if state.count != count || isOver() { return false }
        state.sleepers.append(continuation)
        return true
      }
      if !waits { continuation.resume() }
    }
  }
}
