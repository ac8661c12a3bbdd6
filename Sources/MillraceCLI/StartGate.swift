#if CLI
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension SystemError {
  /// Whether something has run out that comes back: descriptors, processes, memory.
  var isWantOfRoom: Bool { [EMFILE, ENFILE, EAGAIN, ENOMEM].contains(code) }
}

/// Lets as many jobs run at once as the system has room for.
///
/// A job whose start is refused for want of room has not begun: it steps back, fewer run at once from then on, and it is tried
/// again when another has ended. What ran out may come back, so one more is let in for each second without a refusal.
final class StartGate: @unchecked Sendable {  // `state` is touched with the lock held only
  private struct State {
    var running = 0
    var most: Int
    var refusedAt: UInt64 = 0
    /// Since when a job that was alone has been refused.
    var aloneSince: UInt64?
    var hasWarned = false
    var isClosed = false
  }

  /// How long a job that is alone waits for room that only others can make.
  static let patience: UInt64 = 60_000_000_000
  /// How long one more is not tried after a refusal.
  private static let pause: UInt64 = 1_000_000_000

  private let width: Int
  private let warn: @Sendable (String) -> Void
  private let lock = Condition()
  private let turn = Lock(())
  private var state: State

  /// - Parameter warn: takes the one line that is said when there is no room for the first time.
  init(width: Int, warn: @escaping @Sendable (String) -> Void) {
    self.width = width
    self.warn = warn
    state = State(most: width)
  }

  /// Takes a place for one job, as soon as there is one or the gate is closed.
  func enter() {
    lock.lock()
    waitForPlace()
    lock.unlock()
  }

  /// A job that has a place could be started.
  func started() {
    lock.lock()
    state.aloneSince = nil
    lock.unlock()
  }

  /// Gives the place of a job back that has ended.
  func leave() {
    lock.lock()
    state.running -= 1
    if state.most < width {
      let now = MonotonicTime.now
      if now >= state.refusedAt + Self.pause {
        state.most += 1
        state.refusedAt = now
      }
      lock.wakeAll()
    }
    lock.unlock()
  }

  var isClosed: Bool {
    lock.lock()
    defer { lock.unlock() }
    return state.isClosed
  }

  /// No more jobs are wanted: nobody waits here any longer.
  func close() {
    lock.lock()
    state.isClosed = true
    lock.wakeAll()
    lock.unlock()
  }

  /// Waits until a start that was refused is worth another try; the job has a place before and after.
  ///
  /// Whatever the try took must have been given back.
  /// - Throws: the error, if nobody is going to make room.
  func stepBack(for error: SystemError) throws {
    lock.lock()
    let isFirst = !state.hasWarned
    state.hasWarned = true
    lock.unlock()
    if isFirst { warn("\(error); fewer jobs run at once") }
    lock.lock()
    defer { lock.unlock() }
    state.running -= 1
    state.most = max(1, min(state.most, state.running))
    let now = MonotonicTime.now
    state.refusedAt = now
    if state.running == 0 {
      // Alone: those who have stepped back have given everything back, so the first try is at once.
      if let since = state.aloneSince {
        let waited = now - since
        // Descriptors are our own; nobody else gives any back.
        guard waited < (error.code == EMFILE ? Self.pause : Self.patience) else {
          state.running += 1
          throw error
        }
        if !state.isClosed { lock.wait(until: now + min(max(waited, 1_000_000), Self.pause)) }
      } else {
        state.aloneSince = now
      }
    }
    waitForPlace()
  }

  /// Runs one start, and none beside it once room has been short: what one frees for itself, another would take.
  func start<Job: ~Copyable, Failure: Error>(_ body: () throws(Failure) -> Job) throws(Failure) -> Job {
    lock.lock()
    let isShort = state.hasWarned
    lock.unlock()
    guard isShort else { return try body() }
    return try turn.withLock { _ throws(Failure) in try body() }
  }

  /// Waits until a job has ended, but not for long.
  func waitForEnd() {
    lock.lock()
    lock.wait(until: MonotonicTime.now + 50_000_000)
    lock.unlock()
  }

  private func waitForPlace() {
    while state.running >= state.most && !state.isClosed { lock.wait() }
    state.running += 1
  }
}
#endif
