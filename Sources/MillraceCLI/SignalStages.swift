#if CLI
internal import CMillrace
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Ctrl-C and SIGTERM in stages: the first starts no new job, the second ends the running ones, the third kills them.
///
/// A closed terminal (SIGHUP) ends them at once.
final class SignalStages: Sendable {
  private let stop: StopState
  private let say: @Sendable (String) -> Void
  private let first = Atomic<Int32>(0)

  init(stop: StopState, say: @escaping @Sendable (String) -> Void) {
    self.stop = stop
    self.say = say
  }

  /// The signal that began the stop; nil if there was none.
  var firstSignal: Int32? {
    let number = first.load(ordering: .acquiring)
    return number == 0 ? nil : number
  }

  /// Starts the thread that waits for signals; it lives as long as the program.
  ///
  /// Signals must have been blocked before any other thread began (`millrace_job_prepare_signals`).
  func start() throws {
    try startThread { [self] in
      while true { receive(millrace_job_wait_signal()) }
    }
  }

  private func receive(_ number: Int32) {
    _ = first.compareExchange(expected: 0, desired: number, ordering: .acquiringAndReleasing)
    switch stop.stage {
    case .running where number != SIGHUP:
      stop.raise(to: .draining)
      say("no new jobs; waiting for those that run (once more ends them)")
    case .running, .draining:
      stop.raise(to: .terminating)
    case .terminating, .killing:
      stop.raise(to: .killing)
    }
  }
}
#endif
