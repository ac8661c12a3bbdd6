#if CLI
internal import CMillrace
import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Signals as people know them.
///
/// Ctrl-C comes in stages: the first starts no new job, the second ends the running ones, the third kills them. SIGTERM is the same,
/// but nobody sends it twice, so the second stage comes by itself after a grace. A closed terminal (SIGHUP) ends the jobs at once,
/// Ctrl-\ (SIGQUIT) kills them. Ctrl-Z stops the jobs with us. And a job that the terminal stopped is said to stand still.
///
/// Where a stage comes by itself, and when all is killed, the end does not depend on anybody who reads what we write: what is left
/// then of the run is ended from here. So this thread waits for nobody, and never writes itself.
///
/// Until the run begins there is nothing to end but ourselves, and we may be waiting in a call that no stage reaches (to open a
/// FIFO that has no other end): any of these signals ends the program at once.
final class SignalStages: Sendable {
  /// From SIGTERM to the end of running jobs; with what these have from then on it is less than the ten seconds of a container.
  static let grace: UInt64 = 5_000_000_000

  /// From the end of running jobs, where that was no Ctrl-C, to their being killed: they have killed themselves before, unless who
  /// does it stands still with our output.
  private static let graceOfTheEnd = JobRunner.grace + 500_000_000

  /// From the killing of jobs to the end of the program.
  private static let graceOfOutput: UInt64 = 1_500_000_000

  /// `timeout` sends its signal to its child and to the whole process group, so one comes twice.
  private static let echo: UInt64 = 250_000_000

  private let stop: StopState
  private let say: @Sendable (String) -> Void
  private let text: @Sendable (JobValues) -> Bytes
  private let first = Atomic<Int32>(0)
  private let hasBegun = Lock(false)

  /// - Parameter text: the command of a job, for messages.
  init(stop: StopState, say: @escaping @Sendable (String) -> Void, text: @escaping @Sendable (JobValues) -> Bytes) {
    self.stop = stop
    self.say = say
    self.text = text
  }

  /// The signal that began the stop; nil if there was none.
  var firstSignal: Int32? {
    let number = first.load(ordering: .acquiring)
    return number == 0 ? nil : number
  }

  /// Jobs may run from here on, and signals go by stages.
  func begin() {
    hasBegun.withLock { $0 = true }
  }

  /// Starts the thread that waits for signals; it lives as long as the program.
  ///
  /// Signals must have been blocked before any other thread began (`millrace_job_prepare_signals`).
  func start() throws {
    let watch: @Sendable () -> Void = { [self] in
      // What signals have asked for: the run may end for other reasons, too.
      var asked = StopStage.running
      var deadline: UInt64?
      var terminatedAt: UInt64?
      while true {
        let wait = deadline.map { Int64(clamping: $0) - Int64(clamping: min($0, MonotonicTime.now)) } ?? -1
        switch millrace_job_wait_signal(wait) {
        case 0:
          guard let next = StopStage(rawValue: asked.rawValue + 1) else { endProgram() }
          stop.raise(to: next)
          asked = next
          deadline = MonotonicTime.now + Self.time(of: next)
        case SIGTSTP:
          stop.pause()
          millrace_job_suspend()
          stop.resume()
        case SIGCHLD: noticeStopped()
        case SIGTERM where terminatedAt.map { MonotonicTime.now < $0 + Self.echo } ?? false: break
        case let number:
          if number == SIGTERM { terminatedAt = MonotonicTime.now }
          let next = receive(number, asked)
          // Who presses Ctrl-C will do so again.
          if next > asked, number != SIGINT || next == .killing { deadline = MonotonicTime.now + Self.time(of: next) }
          asked = next
        }
      }
    }
    do { try startThread("millrace-signal", watch) } catch {
      throw SystemError("cannot start a thread", code: error.code)
    }
  }

  /// How long a stage lasts, where the next comes by itself.
  private static func time(of stage: StopStage) -> UInt64 {
    switch stage {
    case .running, .draining: grace
    case .terminating: graceOfTheEnd
    case .killing: graceOfOutput
    }
  }

  /// Goes to the stage that follows from a signal, and from what others have asked for; returns it.
  private func receive(_ number: Int32, _ asked: StopStage) -> StopStage {
    hasBegun.withLock { hasBegun in
      // The lock is held to the end: no job begins beside it.
      if !hasBegun { _exit(MillraceExit.signal(number)) }
    }
    _ = first.compareExchange(expected: 0, desired: number, ordering: .acquiringAndReleasing)
    let next: StopStage =
      switch asked {
      case _ where number == SIGQUIT: .killing
      case .running where number != SIGHUP:
        // The first of them only says that the run is to end, which it may do already.
        max(.draining, min(stop.stage, .terminating))
      case .running, .draining: .terminating
      case .terminating, .killing: .killing
      }
    stop.raise(to: next)
    if asked == .running, next == .draining {
      tell(
        number == SIGTERM
          ? "no new jobs; those that run have \(Self.grace / 1_000_000_000) s (once more ends them)"
          : "no new jobs; waiting for those that run (once more ends them)")
    }
    return next
  }

  /// What still runs is killed, and so are we: what we have to write has not been taken for that long.
  private func endProgram() -> Never {
    stop.killJobs()
    _exit(MillraceExit.signal(firstSignal ?? SIGKILL))
  }

  /// Has something said: who says it may have to wait for whoever reads, and signals have to be heard meanwhile.
  private func tell(_ line: String) {
    try? startThread("millrace-say") { [say] in say(line) }
  }

  /// A job in a process group of its own is stopped if it reads from the terminal or changes it, and would stand there for ever.
  private func noticeStopped() {
    var process: pid_t = 0
    var number: Int32 = 0
    while millrace_job_stopped(&process, &number) != 0 {
      guard number == SIGTTIN || number == SIGTTOU, let job = stop.stopped(process, by: number) else { continue }
      sayStopped(job, number)
    }
    for (job, number) in stop.jobsStoppedEarly() { sayStopped(job, number) }
  }

  private func sayStopped(_ job: RunningJob, _ number: Int32) {
    let wish = number == SIGTTIN ? "read from" : "write to or change"
    tell(
      "this job stands still, for it wants to \(wish) the terminal, which jobs cannot (Ctrl-C twice ends it): "
        + Shown.text(text(job.values)))
  }
}
#endif
