import Logging
import Millrace
import MillraceIPC

/// Agents as processes of this machine, or as the local ends of processes elsewhere, as `ssh` is one: each has its settings by its
/// standard input, and ends when that does. One that dies is launched again, as soon as the queue is known to be
/// there; where they die at once, after longer and longer pauses, for what keeps them may pass.
final class ProcessLauncher: AgentLauncher {
  /// One that is to run.
  struct Place: Sendable {
    /// For the log.
    var name: String
    var arguments: [String]
    var settings: AgentSettings
    /// What is another each time one is started there.
    var renewed: (@Sendable (Place) -> Place)?
  }

  private struct State {
    var running: [Int: TetheredProcess] = [:]
    /// What the agent of a place is called that was started there last.
    var names: [Int: String] = [:]
    /// How often something was started in each place, and which of those was the last to end.
    var starts: [Int: Int] = [:]
    var ended: [Int: Int] = [:]
    /// Where one is to be started again, when, and how often one has ended there soon after its start. The place is kept meanwhile.
    var due: [Int: (ends: Int, at: UInt64)] = [:]
    var lastEnd: String?
    var isEnding = false
    var hasLaunched = false
  }

  /// So often one may end at once before it is given up.
  private static let quickEnds = 8
  /// What is at once.
  private static let quick: UInt64 = 1_000_000_000
  /// The pause behind the first that ended at once; each is twice as long as the one before. Together they are six seconds.
  private static let pause: UInt64 = 50_000_000
  /// How long one may take to go when it was told to.
  private static let grace: Duration = .seconds(10)

  private let places: [Place]
  private let state = Lock(State())
  private let isGone = TaskBell()

  init(_ places: [Place]) { self.places = places }

  var isExhausted: Bool { state.withLock { $0.hasLaunched && $0.running.isEmpty } }
  var whyExhausted: String? {
    state.withLock { $0.lastEnd }.map { "again and again they ended at once, the last, \($0)" }
  }
  func hasAll(_ count: Int) -> Bool { count >= places.count }

  func replace(logger: Logger) {
    let now = MonotonicTime.now
    let due = state.withLock { state in
      if state.isEnding { return [(Int, Int)]() }
      let due = state.due.filter { $0.value.at <= now }.sorted { $0.key < $1.key }
      for place in due { state.due[place.key] = nil }
      return due.map { ($0.key, $0.value.ends) }
    }
    for (number, ends) in due {
      do { try start(number, logger, ends: ends) } catch {
        logger.error("an agent could not be launched again: \(error)", metadata: ["place": "\(places[number].name)"])
        state.withLock { $0.running[number] = nil }
      }
    }
  }

  func launch(logger: Logger) async throws {
    replace(logger: logger)
    var problem: (any Error)?
    let missing = state.withLock { state in places.indices.filter { state.running[$0] == nil } }
    for place in missing {
      do { try start(place, logger, ends: 0) } catch {
        logger.error("an agent could not be launched: \(error)", metadata: ["place": "\(places[place].name)"])
        problem = error
      }
    }
    state.withLock { $0.hasLaunched = true }
    if isExhausted, let problem { throw problem }
  }

  /// - Parameter ends: how often one ended there soon after its start.
  private func start(_ number: Int, _ logger: Logger, ends: Int) throws {
    let place = places[number].renewed?(places[number]) ?? places[number]
    var settings = place.settings
    settings.isTethered = true
    settings.name = Agent.freshName()
    let begun = MonotonicTime.now
    let start = state.withLock { [name = settings.name] state in
      state.names[number] = name
      state.starts[number, default: 0] += 1
      return state.starts[number] ?? 0
    }
    let process = try TetheredProcess(
      place.arguments, adding: ["\(AgentSettings.variable)=stdin"], text: settings.text
    ) { [weak self] end in
      let lived = MonotonicTime.now &- begun
      self?.ended(number, start, end, logger, ends: lived < Self.quick ? ends + 1 : 0)
    }
    let isLate = state.withLock { state in
      // It may have ended before it could be noted, and another may be there.
      if state.ended[number, default: 0] < start { state.running[number] = process }
      return state.isEnding
    }
    if isLate { process.letGo() }
  }

  private func ended(_ number: Int, _ start: Int, _ end: TetheredProcess.End, _ logger: Logger, ends: Int) {
    defer { isGone.ring() }
    let isEnding = state.withLock { state in
      state.ended[number] = start
      // Who was refused is refused again, and who was drained is not wanted.
      let isDone =
        switch end {
        case .exited(AgentExit.refused), .exited(AgentExit.drained): true
        default: false
        }
      state.lastEnd = "\(places[number].name), \(end)"
      if state.isEnding || isDone || ends >= Self.quickEnds {
        state.running[number] = nil
      } else {
        state.due[number] = (ends, MonotonicTime.now &+ (ends == 0 ? 0 : Self.pause << (ends - 1)))
      }
      return state.isEnding
    }
    if isEnding { return }
    switch end {
    case .exited(AgentExit.drained):
      logger.info("an agent has ended, as it was told", metadata: ["place": "\(places[number].name)"])
    default: logger.warning("an agent \(end)", metadata: ["place": "\(places[number].name)"])
    }
  }

  func end(_ alive: Set<String>) async {
    let running = state.withLock { state in
      state.isEnding = true
      for place in state.due.keys { state.running[place] = nil }
      state.due = [:]
      return Array(state.running.values)
    }
    for process in running { process.letGo() }
    let alarm = Task {
      do {
        try await Task.sleep(for: Farewell.limit)
        kill { !alive.contains($0) }
        try await Task.sleep(for: Self.grace - Farewell.limit)
      } catch { return }
      kill { _ in true }
    }
    while !state.withLock({ $0.running.isEmpty }) { await isGone.waitForRing() }
    alarm.cancel()
    await alarm.value
  }

  /// Those whose names are so.
  private func kill(_ isMeant: (String) -> Bool) {
    let meant = state.withLock { state in state.running.filter { isMeant(state.names[$0.key] ?? "") }.map(\.value) }
    for process in meant { process.kill() }
  }
}
