import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// All maps of the program whose progress is shown, and the one thread that shows them.
///
/// ```
///   maps ──add, wait──▶ trackers ──a look every 100 ms──▶ thread ──▶ reporters of users
///                       (condition)                          └─────▶ screen (lock) ──▶ standard error
/// ```
///
/// The thread is there for as long as there is a map to show. It alone asks trackers and reporters, with no lock held; the screen is locked
/// for single writes, so that others' lines can come between two frames.
package final class ProgressBoard: @unchecked Sendable {
  // Sound: the variables are guarded by `condition`, the screen by its lock; `lastLook` and `last` are the thread's.

  /// That of the program.
  package static let shared = ProgressBoard(StandardErrorDevice())

  package static let interval: UInt64 = 100_000_000
  /// A look that comes so late, and the program has stood still: it was stopped, or the machine asleep.
  private static let standstill: UInt64 = 1_000_000_000

  private let condition = Condition()
  private var trackers: [ProgressTracker] = []
  private var waiters: [(ProgressTracker, UnsafeContinuation<Void, Never>)] = []
  private var hasNews = false
  private var isRunning = false

  package let terminal: ProgressTerminalState
  /// Without a thread: tests look themselves.
  private let hasThread: Bool
  private var lastLook: UInt64?

  package init(_ device: any ProgressDevice, hasThread: Bool = true) {
    terminal = ProgressTerminalState(device)
    self.hasThread = hasThread
  }

  // MARK: What maps say

  package func add(_ tracker: ProgressTracker) {
    condition.lock()
    trackers.append(tracker)
    // The first is shown at once, others at the next look.
    let starts = hasThread && !isRunning
    if starts { isRunning = true }
    condition.unlock()
    guard starts else { return }
    do { try startThread("millrace-progress") { [self] in run() } } catch { giveUp() }
  }

  func waitUntilShown(_ tracker: ProgressTracker) async {
    await withUnsafeContinuation { continuation in
      condition.lock()
      let waits = !tracker.isShown && isRunning
      if waits {
        waiters.append((tracker, continuation))
        hasNews = true
        condition.wakeAll()
      }
      condition.unlock()
      if !waits { continuation.resume() }
    }
  }

  func waitUntilShown(_ tracker: ProgressTracker, limit: UInt64) {
    let deadline = _monotonicNow() &+ limit
    condition.lock()
    hasNews = true
    condition.wakeAll()
    while !tracker.isShown, isRunning, condition.wait(until: deadline) {}
    condition.unlock()
  }

  /// There is no thread for it: nothing is shown, and nobody waits.
  private func giveUp() {
    condition.lock()
    isRunning = false
    for tracker in trackers { tracker.isShown = true }
    trackers = []
    let waiters = take(&waiters)
    condition.wakeAll()
    condition.unlock()
    for (_, waiter) in waiters { waiter.resume() }
  }

  private func take(
    _ list: inout [(ProgressTracker, UnsafeContinuation<Void, Never>)]
  ) -> [(ProgressTracker, UnsafeContinuation<Void, Never>)] {
    defer { list = [] }
    return list
  }

  // MARK: The thread

  private func run() {
    var all = sigset_t()
    sigfillset(&all)
    // Signals are for the program's own threads.
    pthread_sigmask(SIG_BLOCK, &all, nil)
    while waitForNews() { look(at: _monotonicNow()) }
  }

  /// Waits for the next look; false if there is nothing more to show.
  private func waitForNews() -> Bool {
    // Somebody who waits for the end of a map is no redraw too many: it is one for each map.
    let next = lastLook.map { $0 &+ Self.interval } ?? 0
    condition.lock()
    defer { condition.unlock() }
    if trackers.isEmpty {
      isRunning = false
      condition.wakeAll()
      return false
    }
    while !hasNews, _monotonicNow() < next { condition.wait(until: next) }
    return true
  }

  /// Looks at all maps, and shows them.
  package func look(at now: UInt64) {
    condition.lock()
    hasNews = false
    let trackers = trackers
    condition.unlock()
    let wasLate = lastLook.map { now &- $0 > Self.standstill } ?? false
    if wasLate, let lastLook {
      for tracker in trackers { tracker.standstill(now &- lastLook &- Self.interval) }
      terminal.mayHaveChanged()
    }
    lastLook = now
    let states = trackers.map { ($0, $0.state(at: now)) }
    Unlocked.expect("a progress reporter")
    for case (let tracker, let state) in states {
      if case .custom(let reporter) = tracker.style.kind { reporter.report(state) }
    }
    terminal.show(states, at: now)
    forget(states.filter { $0.1.phase != .running }.map(\.0))
  }

  private func forget(_ over: [ProgressTracker]) {
    guard !over.isEmpty else { return }
    for tracker in over { tracker.endObservation() }
    condition.lock()
    for tracker in over { tracker.isShown = true }
    trackers.removeAll(where: \.isShown)
    if trackers.isEmpty { lastLook = nil }
    let shown = waiters.filter { $0.0.isShown }
    waiters.removeAll { $0.0.isShown }
    condition.wakeAll()
    condition.unlock()
    for (_, waiter) in shown { waiter.resume() }
  }
}
