#if CLI
import MillraceIPC

/// The processes of the machine, looked at once for all who ask at about the same time: to end many jobs, each of them has to.
final class ProcessTable: Sendable {
  /// The beginning of the variable that the processes of this run's jobs are started with, and no others; behind it stands the
  /// number of the job. Jobs of a run within a job have that of the outer run, too.
  let mark: Bytes

  private let latest = Lock((begun: 0 as UInt64, processes: [ProcessEntry]()))

  init() {
    let words = (0..<2).map { _ in String(UInt64.random(in: 1 << 60 ... .max), radix: 16) }
    mark = Bytes("MILLRACE_\(words.joined())=".utf8)
  }

  /// All processes that there are from now on, at some moment.
  func look() -> [ProcessEntry] {
    let asked = MonotonicTime.now
    return latest.withLock { latest in
      if latest.begun < asked {
        let begun = MonotonicTime.now
        latest = (begun, ProcessEntry.all(mark: mark))
      }
      return latest.processes
    }
  }
}
#endif
