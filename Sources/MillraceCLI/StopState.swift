#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
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
    /// Since when the run stands still, and how long it did so before.
    var pausedAt: UInt64?
    var paused: UInt64 = 0
    /// Processes that the terminal stopped before their job was known here, and the signals.
    var stoppedEarly: [pid_t: Int32] = [:]
    /// Ends jobs that are none of our processes.
    var ending: (@Sendable () -> Void)?
  }

  /// Where jobs wait for their start.
  let gate: StartGate
  private let processes: ProcessTable
  private let state = Lock(State())
  private let noMoreInput: Descriptor

  /// - Parameter processes: where the processes of all jobs are found.
  init(gate: StartGate, processes: ProcessTable = ProcessTable()) throws {
    self.gate = gate
    self.processes = processes
    noMoreInput = try SystemError.saying("cannot make an event descriptor", Descriptor.bell)
  }

  var stage: StopStage { state.withLock { $0.stage } }

  /// Readable from the first stage on.
  var inputStop: Int32 { noMoreInput.rawValue }

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
    guard stage > .draining else { return }
    wakeJobs()
    takeEnding()?()
  }

  /// Runs the body once, when running jobs are to end: by whoever has raised the stage.
  func whenEnding(_ body: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      state.ending = body
      return state.stage > .draining
    }
    if isLate { takeEnding()?() }
  }

  private func takeEnding() -> (@Sendable () -> Void)? {
    state.withLock { state in
      defer { state.ending = nil }
      return state.ending
    }
  }

  /// Makes every waiting job look at its stage and its time limit again.
  func wakeJobs() {
    state.withLock { state in
      for job in state.jobs.values { millrace_bell_ring(job.bell) }
    }
  }

  /// A job runs from here until `ended`; its bell is rung by `wakeJobs`.
  func begun(_ job: RunningJob) {
    state.withLock { state in
      state.jobs[job.values.slot] = job
      if state.pausedAt != nil { kill(-job.leader, SIGSTOP) }
      // Whoever was told of it could not say whose it was, and looks again.
      if state.stoppedEarly[job.leader] != nil { kill(getpid(), SIGCHLD) }
    }
  }

  /// The job of a slot has ended; to be called before its process is reaped.
  func ended(slot: Int) {
    _ = state.withLock { $0.jobs.removeValue(forKey: slot) }
  }

  /// The terminal stopped a process; nil if its job is not known yet, which is then one of `jobsStoppedEarly`.
  func stopped(_ process: pid_t, by signal: Int32) -> RunningJob? {
    state.withLock { state in
      if let job = state.jobs.values.first(where: { $0.leader == process }) { return job }
      state.stoppedEarly[process] = signal
      return nil
    }
  }

  /// Jobs that have become known since they were stopped, once.
  func jobsStoppedEarly() -> [(job: RunningJob, signal: Int32)] {
    state.withLock { state in
      guard !state.stoppedEarly.isEmpty else { return [] }
      return state.jobs.values.compactMap { job in
        state.stoppedEarly.removeValue(forKey: job.leader).map { (job, $0) }
      }
    }
  }

  // MARK: Standing still

  /// Nanoseconds of a clock that stands still while the run does: a limit is not for the time in which a job was stopped.
  func now() -> UInt64 {
    state.withLock { ($0.pausedAt ?? MonotonicTime.now) - $0.paused }
  }

  /// The same moment on the clock of the system, as things are now.
  func monotonic(_ moment: UInt64) -> UInt64 { state.withLock { moment + $0.paused } }

  /// Stops all jobs; one that is just starting is stopped when it has begun.
  func pause() {
    state.withLock { state in
      state.pausedAt = state.pausedAt ?? MonotonicTime.now
      for job in state.jobs.values { kill(-job.leader, SIGSTOP) }
    }
    signalOthers(SIGSTOP)
  }

  /// Lets all jobs go on.
  func resume() {
    state.withLock { state in
      if let since = state.pausedAt { state.paused += MonotonicTime.now - since }
      state.pausedAt = nil
      for job in state.jobs.values { kill(-job.leader, SIGCONT) }
    }
    signalOthers(SIGCONT)
    wakeJobs()
  }

  /// Processes of the jobs that have left their process groups.
  private func signalOthers(_ number: Int32) {
    var tree = ProcessTree(leader: nil, job: nil, processes)
    tree.signal(number)
  }

  /// Kills whatever runs of all jobs, for the end of the program; who did that for each of them may stand still.
  func killJobs() {
    state.withLock { state in
      for job in state.jobs.values { kill(-job.leader, SIGKILL) }
    }
    var tree = ProcessTree(leader: nil, job: nil, processes)
    _ = tree.end(by: 0, latest: MonotonicTime.now + 500_000_000)
  }
}
#endif
