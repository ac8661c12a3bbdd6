#if CLI
/// How the command ends, as in GNU parallel.
enum MillraceExit {
  static let success: Int32 = 0
  /// The highest number of failed jobs that is told exactly; more are 101.
  static let mostFailures = 100
  static let usage: Int32 = 64
  /// The reader of our output went away: what a shell reports for SIGPIPE.
  static let outputClosed: Int32 = 141
  static let otherError: Int32 = 255

  static func failedJobs(_ count: Int) -> Int32 { Int32(min(count, mostFailures + 1)) }
  static func signal(_ number: Int32) -> Int32 { 128 + number }
}

/// A command line that cannot be meant; ends with one line and exit code 64.
struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
#endif
