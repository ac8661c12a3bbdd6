#if CLI
/// How a job ended.
enum JobEnding: Equatable, Codable, Sendable {
  case exited(Int32)
  case signaled(Int32)
  case timedOut
  /// Ended by us because the whole run ends.
  case stopped
  /// Could not be started; the reason is in the message.
  case failed(String)
  /// Ran and was ended by us, or given up where it could not be, since it could not be followed or what it wrote could not be kept; the reason is in the message.
  case lost(String)
  /// The run ended before its turn.
  case notRun

  /// One number for `--halt` and for counting: 0 is success.
  var code: Int32 {
    switch self {
    case .exited(let code): code
    case .signaled(let signal): MillraceExit.signal(signal)
    case .timedOut, .stopped, .failed, .lost, .notRun: MillraceExit.otherError
    }
  }

  /// The columns `Exitval` and `Signal` of the log; -1 and SIGTERM for what we ended, as in GNU parallel.
  var logged: (exitValue: Int32, signal: Int32) {
    switch self {
    case .exited(let code): (code, 0)
    case .signaled(let signal): (0, signal)
    case .timedOut, .stopped: (-1, 15)
    case .lost: (-1, 9)
    case .failed, .notRun: (MillraceExit.otherError, 0)
    }
  }
}

/// What one try at a job gave.
struct JobResult: Sendable {
  var job: JobValues
  var ending: JobEnding
  /// Where it ran, if that was elsewhere.
  var host: String?
  /// Microseconds since 1970.
  var started: UInt64 = 0
  var runtimeNanoseconds: UInt64 = 0
  /// Bytes of standard output that we saw.
  var received = 0
  /// Whether processes of it run on, though we wanted to end them.
  var leavesProcesses = false
  /// What is still to be printed.
  var captures: [(stream: OutputWriter.Stream, capture: Capture)] = []
}
#endif
