import MillraceIPC

/// A clock that stands still until it is told to move, so that tests of timeouts, backoff and deadlines take no time.
///
/// ```swift
/// let clock = VirtualClock()
/// let task = Task { try await clock.sleep(for: .seconds(60)) }
/// await clock.waitForSleepers(1)
/// clock.advance(by: .seconds(60))
/// try await task.value
/// ```
///
/// Sleepers are resumed in the order of their deadlines, and those of one deadline in the order in which they went to sleep.
/// A resumed task runs when its executor comes to it; a test that needs its effect awaits the task.
public final class VirtualClock: Clock, Sendable {
  /// A moment of a ``VirtualClock``: the time since the clock's start.
  public struct Instant: InstantProtocol {
    /// The time since the clock's start.
    public let offset: Duration

    /// Makes the moment that comes `offset` after the clock's start.
    public init(offset: Duration) { self.offset = offset }

    /// The moment that comes `duration` later.
    public func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }

    /// The time from this moment to another.
    public func duration(to other: Instant) -> Duration { other.offset - offset }

    /// Whether one moment comes before another.
    public static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
  }

  private struct Sleeper {
    let ticket: Int
    let deadline: Instant
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct Watcher {
    let count: Int
    let continuation: CheckedContinuation<Void, Never>
  }

  private struct State {
    var now = Instant(offset: .zero)
    var nextTicket = 0
    /// Ordered by deadline, then by ticket: the first is the next to wake.
    var sleepers: [Sleeper] = []
    var watchers: [Watcher] = []

    mutating func insert(_ sleeper: Sleeper) {
      let place = sleepers.firstIndex { $0.deadline > sleeper.deadline } ?? sleepers.endIndex
      sleepers.insert(sleeper, at: place)
    }

    mutating func removeSatisfiedWatchers() -> [Watcher] {
      let satisfied = watchers.filter { $0.count <= sleepers.count }
      watchers.removeAll { $0.count <= sleepers.count }
      return satisfied
    }
  }

  private let state = Lock(State())

  /// Makes a clock that stands at zero.
  public init() {}

  /// Where the clock stands.
  public var now: Instant { state.withLock { $0.now } }

  /// The smallest step: a nanosecond.
  public var minimumResolution: Duration { .nanoseconds(1) }

  /// How many tasks sleep.
  public var sleepers: Int { state.withLock { $0.sleepers.count } }

  /// When the next sleeper is to wake, or `nil` if nobody sleeps.
  public var nextDeadline: Instant? { state.withLock { $0.sleepers.first?.deadline } }

  /// Sleeps until the clock has been moved to a moment, or past it.
  ///
  /// - Throws: `CancellationError` if the task is cancelled, at once.
  public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
    try Task.checkCancellation()
    let ticket = state.withLock { state in
      defer { state.nextTicket += 1 }
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let (answer, watchers) = state.withLock { state -> (Result<Void, any Error>?, [Watcher]) in
          // Cancelled before: the handler has run and found nobody.
          if Task.isCancelled { return (.failure(CancellationError()), []) }
          if deadline <= state.now { return (.success(()), []) }
          state.insert(Sleeper(ticket: ticket, deadline: deadline, continuation: continuation))
          return (nil, state.removeSatisfiedWatchers())
        }
        if let answer { continuation.resume(with: answer) }
        for watcher in watchers { watcher.continuation.resume() }
      }
    } onCancel: {
      let cancelled = state.withLock { state in
        state.sleepers.firstIndex { $0.ticket == ticket }.map { state.sleepers.remove(at: $0) }
      }
      cancelled?.continuation.resume(throwing: CancellationError())
    }
  }

  /// Moves the clock forward and wakes whoever is due.
  ///
  /// - Parameter duration: zero or more.
  public func advance(by duration: Duration) {
    precondition(duration >= .zero, "A clock does not go back: advance(by: \(duration)).")
    wake { $0.now.advanced(by: duration) }
  }

  /// Moves the clock to a moment and wakes whoever is due.
  ///
  /// - Parameter instant: ``now`` or later.
  public func advance(to instant: Instant) {
    wake { state in
      precondition(
        instant >= state.now, "A clock does not go back: advance(to: \(instant.offset)) at \(state.now.offset).")
      return instant
    }
  }

  /// Moves the clock to the next deadline and wakes whoever is due.
  ///
  /// - Returns: whether anybody slept; if not, the clock stays where it is.
  @discardableResult
  public func advanceToNextDeadline() -> Bool {
    wake { $0.sleepers.first?.deadline ?? $0.now } > 0
  }

  /// Waits until at least `count` tasks sleep at once.
  ///
  /// It ends only then: in a test, put a time limit around it.
  public func waitForSleepers(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isSatisfied = state.withLock { state in
        if state.sleepers.count >= count { return true }
        state.watchers.append(Watcher(count: count, continuation: continuation))
        return false
      }
      if isSatisfied { continuation.resume() }
    }
  }

  @discardableResult
  private func wake(to target: (State) -> Instant) -> Int {
    let due = state.withLock { state in
      state.now = target(state)
      let due = state.sleepers.prefix { $0.deadline <= state.now }
      state.sleepers.removeFirst(due.count)
      return due
    }
    for sleeper in due { sleeper.continuation.resume() }
    return due.count
  }
}
