#if CLI
internal import CMillrace
internal import MillraceIPC

#if canImport(Glibc)
import Glibc
#endif

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

/// A job that runs, for those who have something to tell it.
struct RunningJob: Sendable {
  let values: JobValues
  /// Its process, which leads its process group.
  let leader: pid_t
  let bell: Int32
}

/// The stage of the run, and its jobs, so that everyone who waits for something else hears of it.
final class StopState: Sendable {
  private struct State: ~Copyable {
    var stage = StopStage.running
    /// By slot.
    var jobs: [Int: RunningJob] = [:]
  }

  /// Where jobs wait for their start.
  let gate: StartGate
  private let state = Lock(State())
  private let noMoreInput: Descriptor

  init(gate: StartGate) throws {
    self.gate = gate
    noMoreInput = try .bell()
  }

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
    gate.close()
    if stage > .draining { wakeJobs() }
  }

  /// Makes every waiting job look at its stage and its time limit again.
  func wakeJobs() {
    state.withLock { state in
      for job in state.jobs.values { millrace_bell_ring(job.bell) }
    }
  }

  /// A job runs from here until `ended`; its bell is rung by `wakeJobs`.
  func begun(_ job: RunningJob) {
    state.withLock { $0.jobs[job.values.slot] = job }
  }

  /// The job of a slot has ended; to be called before its process is reaped.
  func ended(slot: Int) {
    _ = state.withLock { $0.jobs.removeValue(forKey: slot) }
  }
}
#endif
