#if os(Linux)
internal import CMillrace

/// The first Swift of a worker process: what a type that launches workers supplies.
package protocol WorkerMain: SendableMetatype {
  /// Does everything, and returns the process's exit code. Runs on the process's first thread.
  static func run(control: consuming ControlSocket) -> Int32
}

/// Exit codes of workers that never came to run anything, as in sysexits.h.
package enum WorkerExitCode {
  /// The program closed the control socket before it said what to run, or said nonsense.
  package static let noIntroduction: Int32 = 76
  /// The worker is of another build than the program.
  package static let otherBuild: Int32 = 78
  /// The worker has lost what binds it to the pool: its descriptors, or room for new ones.
  package static let lost = Int32(MILLRACE_EXIT_LOST)
  /// What it says then.
  package static let lastWords = MILLRACE_LAST_WORDS
  /// The worker waits for what another thread of the program held or was doing when it was forked.
  package static let stuck = Int32(MILLRACE_EXIT_STUCK)
  /// The worker does not know the type that it is to run.
  package static let unknownType: Int32 = 70
}
#endif
