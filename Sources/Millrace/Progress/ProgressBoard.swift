import MillraceIPC
import Synchronization

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
///   worker processes ─▶ remotes (condition)                  └─────▶ screen (lock) ──▶ standard error
/// ```
///
/// A worker process has a board of its own, whose looks go to the program (``ProgressRelay``).
///
/// The thread is there for as long as there is a map to show. It alone asks trackers and reporters, with no lock held; the screen is locked
/// for single writes, so that others' lines can come between two frames.
///
/// A look at all maps comes every 100 ms, however many begin and end. In between, reporters hear of the beginning and the end of theirs, and
/// the last bar that stands there is finished when its map is over. Other maps do not wait for their last line, which comes with the next
/// look. A map that begins soon after a look has a bar when it has gone on for as long; so of many short ones none has to be finished.
package final class ProgressBoard: @unchecked Sendable {
  // Sound: the variables are guarded by `condition`, the screen by its lock; `wasIdle` is the thread's.

  /// That of the program.
  package static let shared = ProgressBoard(StandardErrorDevice())

  /// That of this process: a worker's tells the program. The locks and threads of others may be copies of its parent's.
  package static var here: ProgressBoard {
    guard Nesting.processDepth > 0 else { return shared }
    if let board = at(address.load(ordering: .acquiring)) { return board }
    _ = watchesForks
    let board = Unmanaged.passRetained(ProgressBoard(relay: ProgressRelay()))
    let (exchanged, original) = address.compareExchange(
      expected: 0, desired: UInt(bitPattern: board.toOpaque()), ordering: .acquiringAndReleasing)
    if exchanged { return board.takeUnretainedValue() }
    board.release()
    return at(original) ?? Self.here
  }

  // As the crew's: a pointer, which a forked child can drop without touching what it points to.
  private static let address = Atomic<UInt>(0)
  private static let watchesForks: Void = {
    pthread_atfork(nil, nil, { ProgressBoard.address.store(0, ordering: .relaxed) })
  }()

  private static func at(_ address: UInt) -> ProgressBoard? {
    UnsafeRawPointer(bitPattern: address).map { Unmanaged<ProgressBoard>.fromOpaque($0).takeUnretainedValue() }
  }

  package static let interval: UInt64 = 100_000_000
  /// A look that comes so late, and the program has stood still: it was stopped, or the machine asleep.
  private static let standstill: UInt64 = 1_000_000_000

  private let condition = Condition()
  private var trackers: [ProgressTracker] = []
  /// The maps of worker processes, by slot and then as they came.
  private var remotes: [RemoteProgress] = []
  private var waiters: [(ProgressTracker, UnsafeContinuation<Void, Never>)] = []
  /// Something is to be shown before the next look is due.
  private var hasNews = false
  private var isRunning = false
  /// The last look at all maps.
  private var lastLook: UInt64?

  package let terminal: ProgressTerminalState
  private let sink: any ProgressSink
  /// Without a thread: tests look themselves.
  private let hasThread: Bool
  /// Whether there was nothing to look at since the last look.
  private var wasIdle = true
  /// Whether somebody shows what is left when the program ends.
  private let seesToEnd = Atomic(false)
  /// The program ends: what is left is shown without waiting for the next look.
  private var isAtEnd = false

  package init(_ device: any ProgressDevice, hasThread: Bool = true) {
    terminal = ProgressTerminalState(device)
    sink = terminal
    self.hasThread = hasThread
  }

  private init(relay: ProgressRelay) {
    terminal = ProgressTerminalState(StandardErrorDevice())
    sink = relay
    hasThread = true
  }

  // MARK: What maps say

  package func add(_ tracker: ProgressTracker) {
    condition.lock()
    trackers.append(tracker)
    // A reporter hears of the beginning, however soon that comes after the last look.
    if tracker.isReported { wakeThread() }
    let starts = mustStart()
    condition.unlock()
    if starts { start() }
  }

  private func wakeThread() {
    hasNews = true
    condition.wakeAll()
  }

  /// The first is shown at once, others at the next look.
  private func mustStart() -> Bool {
    guard hasThread, !isRunning else { return false }
    isRunning = true
    return true
  }

  private func start() {
    do { try startThread("millrace-progress") { [self] in run() } } catch { giveUp() }
  }

  // MARK: What worker processes tell

  /// A worker process has told how far one of its maps is.
  func take(_ record: ProgressRecord, from source: RemoteProgress.Source) {
    condition.lock()
    if let known = remotes.first(where: { $0.source == source && $0.map == record.map }) {
      known.take(record.state)
    } else {
      let new = RemoteProgress(record, from: source)
      let place = remotes.firstIndex { ($0.slot ?? -1) > (new.slot ?? -1) } ?? remotes.count
      remotes.insert(new, at: place)
    }
    let starts = mustStart()
    condition.unlock()
    if starts { start() }
  }

  /// The process has gone: what it has not told the end of has none.
  func end(_ source: RemoteProgress.Source) {
    condition.lock()
    for remote in remotes where remote.source == source && remote.state.phase == .running {
      remote.state.phase = .cancelled
    }
    condition.unlock()
  }

  /// The map is over: waits until that is shown, unless it is shown soon enough with others.
  func waitUntilShown(_ tracker: ProgressTracker) async {
    await withUnsafeContinuation { continuation in
      condition.lock()
      let waits = isOver(tracker)
      if waits { waiters.append((tracker, continuation)) }
      condition.unlock()
      if !waits { continuation.resume() }
    }
  }

  func waitUntilShown(_ tracker: ProgressTracker, limit: UInt64) {
    let deadline = _monotonicNow() &+ limit
    condition.lock()
    if isOver(tracker) { while !tracker.isShown, isRunning, condition.wait(until: deadline) {} }
    condition.unlock()
  }

  /// The map is over, and there will be a look that shows it; true if that is to be waited for.
  private func isOver(_ tracker: ProgressTracker) -> Bool {
    tracker.isOver = true
    guard !tracker.isShown, isRunning else { return false }
    if isDue(at: _monotonicNow()) || tracker.isReported || !isOnTerminal || isLast(tracker) {
      wakeThread()
      return true
    }
    seeToEnd()
    return false
  }

  /// Whether it was shown, and nothing is that goes on.
  private func isLast(_ tracker: ProgressTracker) -> Bool {
    tracker.isSeen && trackers.allSatisfy { $0.isOver || $0.isReported || !$0.isSeen }
  }

  private func isDue(at now: UInt64) -> Bool { lastLook.map { now >= $0 &+ Self.interval } ?? true }

  private var isOnTerminal: Bool { sink is ProgressTerminalState }

  // MARK: The program's end

  /// What is left to be shown when the program ends is shown then.
  private func seeToEnd() {
    guard self === Self.shared, !seesToEnd.exchange(true, ordering: .relaxed) else { return }
    Self.owner.store(getpid(), ordering: .relaxed)
    atexit { if getpid() == ProgressBoard.owner.load(ordering: .relaxed) { ProgressBoard.shared.showRest() } }
  }

  /// The process whose board that is: a forked child ends as well.
  private static let owner = Atomic<Int32>(0)

  private func showRest() {
    let deadline = _monotonicNow() &+ 250_000_000
    condition.lock()
    while isRunning, trackers.contains(where: { $0.isOver && !$0.isShown }) {
      isAtEnd = true
      wakeThread()
      if !condition.wait(until: deadline) { break }
    }
    condition.unlock()
  }

  /// There is no thread for it: nothing is shown, and nobody waits.
  private func giveUp() {
    condition.lock()
    isRunning = false
    for tracker in trackers { tracker.isShown = true }
    trackers = []
    remotes = []
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
    condition.lock()
    defer { condition.unlock() }
    let next = lastLook.map { $0 &+ Self.interval } ?? 0
    if trackers.isEmpty, remotes.isEmpty {
      isRunning = false
      wasIdle = true
      condition.wakeAll()
      return false
    }
    while !hasNews, _monotonicNow() < next { condition.wait(until: next) }
    return true
  }

  /// Looks at all maps, and shows them; before that is due, at those only that cannot wait.
  package func look(at now: UInt64) {
    condition.lock()
    hasNews = false
    let isWhole =
      isDue(at: now) || !isOnTerminal || isAtEnd
      || trackers.contains { $0.isOver && !$0.isReported && isLast($0) }
    let before = lastLook
    let trackers = isWhole ? trackers : trackers.filter { $0.isReported && ($0.isOver || !$0.isSeen) }
    let remotes = isWhole ? remotes.map { ($0, $0.state) } : []
    if isWhole {
      lastLook = now
      self.remotes.removeAll { $0.state.phase != .running }
    }
    // One that is over before it is worth a bar gets its last line only.
    for tracker in trackers where tracker.isReported || tracker.isWorthBar(at: now, after: before) {
      tracker.isSeen = true
    }
    condition.unlock()
    if isWhole, let before, !wasIdle, now &- before > Self.standstill {
      for tracker in trackers { tracker.standstill(now &- before &- Self.interval) }
      terminal.mayHaveChanged()
    }
    if isWhole { wasIdle = false }
    let states = trackers.map { ($0, $0.state(at: now)) }
    Unlocked.expect("a progress reporter")
    for case (let tracker, let state) in states {
      if case .custom(let reporter) = tracker.style.kind { reporter.report(state) }
    }
    if isWhole {
      let shown = states.filter { $0.0.isSeen || $0.1.phase != .running }
      sink.show(Self.inOrder(shown, remotes), at: now)
    }
    forget(states.filter { $0.1.phase != .running }.map(\.0))
  }

  /// A map inside an item stands under the map around it, those of worker processes under the last map of their pool.
  private static func inOrder(
    _ begun: [(ProgressTracker, ProgressState)], _ remotes: [(RemoteProgress, ProgressState)]
  ) -> [(any ShownProgress, ProgressState)] {
    var all: [(any ShownProgress, ProgressState)] = []
    let states = byParent(begun)
    for (place, (tracker, state)) in states.enumerated() {
      all.append((tracker, state))
      guard let pool = tracker.pool, !states[(place + 1)...].contains(where: { $0.0.pool == pool }) else { continue }
      all += remotes.filter { $0.0.source.pool == pool }.map { ($0.0 as any ShownProgress, $0.1) }
    }
    let pools = Set(states.compactMap(\.0.pool))
    return all + remotes.filter { !pools.contains($0.0.source.pool) }.map { ($0.0 as any ShownProgress, $0.1) }
  }

  /// As they began, but each behind its parent and what is under that.
  private static func byParent(_ begun: [(ProgressTracker, ProgressState)]) -> [(ProgressTracker, ProgressState)] {
    guard begun.contains(where: { $0.0.parent != nil }) else { return begun }
    let numbers = Set(begun.map(\.0.number))
    let families = Dictionary(grouping: begun) { entry in entry.0.parent.flatMap { numbers.contains($0) ? $0 : nil } }
    var ordered: [(ProgressTracker, ProgressState)] = []
    var rest = Array((families[nil] ?? []).reversed())
    while let next = rest.popLast() {
      ordered.append(next)
      rest += (families[next.0.number] ?? []).reversed()
    }
    return ordered
  }

  private func forget(_ over: [ProgressTracker]) {
    guard !over.isEmpty else { return }
    for tracker in over { tracker.endObservation() }
    condition.lock()
    for tracker in over { tracker.isShown = true }
    trackers.removeAll(where: \.isShown)
    if trackers.isEmpty, remotes.isEmpty { wasIdle = true }
    let shown = waiters.filter { $0.0.isShown }
    waiters.removeAll { $0.0.isShown }
    condition.wakeAll()
    condition.unlock()
    for (_, waiter) in shown { waiter.resume() }
  }
}
