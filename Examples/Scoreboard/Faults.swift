import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What a worker made of an item, and who it was.
struct Answer: Codable {
  var value: Int
  var process: Int32
  /// When its process was ready for its first item.
  var readyAt: UInt64
}

/// Squares numbers, each in ten milliseconds; item 5 misbehaves.
struct Misbehaving: Worker, Codable {
  enum Fault: Codable { case none, isKilled, neverEnds }

  var fault = Fault.none
  /// Where the time is written down at which item 5 begins.
  var note = "/dev/null"

  func setUp(_ context: WorkerContext) -> UInt64 { monotonicNow() }

  func process(_ item: Int, state readyAt: inout UInt64) -> Answer {
    if item == 5, fault != .none {
      write(note)
      if fault == .isKilled { kill(getpid(), SIGKILL) }
      for number in [SIGTERM, SIGINT, SIGHUP] { signal(number, SIG_IGN) }
      while true { pause() }
    }
    usleep(10_000)
    return Answer(value: item * item, process: getpid(), readyAt: readyAt)
  }

  private func write(_ path: String) {
    guard let file = fopen(path, "w") else { return }
    fputs("\(monotonicNow())", file)
    fclose(file)
  }
}

/// Nanoseconds of a clock that all processes share.
func monotonicNow() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
