import MillraceIPC

/// Calls back when a time has come. Its thread starts with the first time that is set.
///
/// While it waits it looks at the clock now and then: if far more time has passed than it slept, the whole program stood
/// still (SIGSTOP, a suspended machine, a debugger), which it says too.
final class Alarm: @unchecked Sendable {
  // Sound: the callbacks are set once, before the first `set`; the rest is under the lock.
  private struct State {
    var time: UInt64?
    var lastChange: UInt64 = 0
    var isStarted = false
    var isEnded = false
  }
  private let state = Lock(State())
  private let bell = Bell()
  var onTime: @Sendable () -> Void = {}
  var onStandstill: @Sendable () -> Void = {}

  private static let glance: UInt64 = 100_000_000
  private static let standstill: UInt64 = 400_000_000

  /// Sets the time (`_monotonicNow`) of the next call; nil: none.
  ///
  /// Changes are numbered from 1 where they are decided. They may arrive here in another order: the last one decided holds.
  func set(_ time: UInt64?, _ change: UInt64) {
    let (mustStart, mustWake) = state.withLock { state in
      guard change > state.lastChange else { return (false, false) }
      state.lastChange = change
      let isSooner = time.map { time in state.time.map { time < $0 } ?? true } ?? false
      state.time = time
      let mustStart = time != nil && !state.isStarted && !state.isEnded
      if mustStart { state.isStarted = true }
      return (mustStart, isSooner && !mustStart)
    }
    if mustWake { bell.ring() }
    guard mustStart else { return }
    do {
      try startThread("millrace-alarm") { self.run() }
    } catch {
      // No thread to be had: a task is less exact, but nothing waits for ever.
      Task.detached { await self.runAsTask() }
    }
  }

  func end() {
    state.withLock { $0.isEnded = true }
    bell.ring()
  }

  private func runAsTask() async {
    while !state.withLock({ $0.isEnded }) {
      try? await Task.sleep(nanoseconds: 10_000_000)
      let isDue = state.withLock { state in
        guard let time = state.time, time <= _monotonicNow() else { return false }
        state.time = nil
        return true
      }
      if isDue { onTime() }
    }
  }

  private func run() {
    while true {
      let (time, isEnded) = state.withLock { ($0.time, $0.isEnded) }
      if isEnded { return }
      guard let time else {
        bell.waitForWork()
        continue
      }
      let now = _monotonicNow()
      if time > now {
        let next = min(time, now &+ Self.glance)
        bell.waitForWork(until: next)
        if _monotonicNow() > next &+ Self.standstill { onStandstill() }
        continue
      }
      state.withLock { state in if state.time == time { state.time = nil } }
      onTime()
    }
  }
}
