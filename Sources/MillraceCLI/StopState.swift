#if CLI
internal import CMillrace
internal import MillraceIPC

/// How far the run is being stopped.
///
/// Stages only go up.
enum StopStage: Int, Comparable, Sendable {
  case running
  /// No new jobs.
  case draining
  /// Running jobs are told to end, and killed after a grace.
  case terminating
  /// Running jobs are killed at once.
  case killing

  static func < (a: StopStage, b: StopStage) -> Bool { a.rawValue < b.rawValue }
}

/// The stage, and bells for everyone who waits for something else meanwhile.
final class StopState: Sendable {
  private struct State: ~Copyable {
    var stage = StopStage.running
    /// Bells of the jobs that are waiting, by slot.
    var bells: [Int: Int32] = [:]
  }

  private let state = Lock(State())
  private let noMoreInput: Descriptor

  init() throws { noMoreInput = try .bell() }

  var stage: StopStage { state.withLock { $0.stage } }

  /// Readable from the first stage on.
  var inputStop: Int32 { noMoreInput.number }

  /// Goes to a stage, if it is not there yet.
  func raise(to stage: StopStage) {
    let isNew = state.withLock { state in
      guard stage > state.stage else { return false }
      state.stage = stage
      return true
    }
    guard isNew else { return }
    noMoreInput.ring()
    if stage > .draining { wakeJobs() }
  }

  /// Makes every waiting job look at its stage and its time limit again.
  func wakeJobs() {
    state.withLock { state in
      for bell in state.bells.values { millrace_bell_ring(bell) }
    }
  }

  /// Runs `body` with a bell that `wakeJobs` rings.
  func withBell<Result>(slot: Int, _ body: (borrowing Descriptor) throws -> Result) throws -> Result {
    let bell = try Descriptor.bell()
    let number = bell.number
    state.withLock { $0.bells[slot] = number }
    defer { _ = state.withLock { $0.bells.removeValue(forKey: slot) } }
    return try body(bell)
  }
}
#endif
