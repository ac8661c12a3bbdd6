#if CLI
internal import CMillrace

#if canImport(Glibc)
import Glibc
#endif

/// What becomes of the output of a job.
enum OutputGrouping: Sendable {
  /// Collected, and printed when the job has ended.
  case whole
  /// Printed line by line.
  case lines
  /// Not touched: the job writes to our own descriptors.
  case none
}

/// Runs one job to its end: starts it, collects what it writes, ends it in time.
struct JobRunner: Sendable {
  /// From SIGTERM to SIGKILL.
  static let grace: UInt64 = 1_000_000_000

  let spawner: JobSpawner
  let grouping: OutputGrouping
  /// For `.whole`.
  let quiet: QuietStart
  let captureMemory: Int
  let spill: SpillFile
  let stop: StopState
  /// The limit that holds now, in nanoseconds.
  let limit: @Sendable () -> UInt64?
  /// Takes whole lines of a running job, if output goes by lines.
  let printLines: @Sendable (JobValues, OutputWriter.Stream, Capture) -> Void

  /// Told when whoever read our standard output has gone; a silent job would not notice.
  let readerHasGone: @Sendable () -> Void

  /// Blocks until the job and, if it had to be ended, its whole tree has ended.
  func run(_ job: JobValues) -> JobResult {
    var result = JobResult(job: job, ending: .notRun)
    guard stop.stage == .running else { return result }
    do {
      try stop.withBell(slot: job.slot) { bell in
        result.started = wallClockMicroseconds()
        let start = monotonicNow()
        defer { result.runtimeNanoseconds = monotonicNow() - start }
        if grouping == .none {
          var streams: [StreamReader] = []
          let process = try spawner.start(job, output: 1, error: 2)
          result.ending = try supervise(process, &streams, job, start, bell)
        } else {
          var output = try Pipe()
          var error = try Pipe()
          var streams = [
            StreamReader(.output, output.reading.number, captureMemory),
            StreamReader(.error, error.reading.number, captureMemory),
          ]
          let process = try spawner.start(job, output: output.writingNumber, error: error.writingNumber)
          output.closeWriting()
          error.closeWriting()
          result.ending = try supervise(process, &streams, job, start, bell)
          result.received = streams[0].received
          quiet.learn(result.received + streams[1].received)
          result.captures = streams.filter { !$0.capture.isEmpty }.map { ($0.stream, $0.capture) }
        }
      }
    } catch {
      result.ending = .failed("\(error)")
    }
    return result
  }

  /// Waits for the end of a process, reading its streams meanwhile.
  ///
  /// Its end counts, not that of its streams: a process that the job leaves behind may hold them for ever.
  private func supervise(
    _ process: JobSpawner.Process, _ streams: inout [StreamReader], _ job: JobValues, _ start: UInt64,
    _ bell: borrowing Descriptor
  ) throws -> JobEnding {
    let descriptor = Descriptor(owning: process.descriptor)
    var end: ForcedEnd?
    var tree: ProcessTree?
    var failure: (any Error)?
    var watchedOutput: Int32 = 1
    waiting: while true {
      if end == nil, let reason = reasonToEnd(start) {
        var marked = ProcessTree(leader: process.id, marks: Array(spawner.marks(job).prefix(2)))
        marked.signal(SIGTERM)
        tree = consume marked
        end = ForcedEnd(reason: reason, killAt: monotonicNow() + Self.grace)
      }
      if var forced = end, !forced.isKilled, stop.stage == .killing || monotonicNow() >= forced.killAt {
        tree?.signal(SIGKILL)
        forced.isKilled = true
        end = forced
      }
      var wakeAt = end.map { $0.isKilled ? nil : $0.killAt } ?? limit().map { start + $0 }
      let isQuiet = quiet.lasts(since: start)
      if isQuiet { wakeAt = min(wakeAt ?? .max, start + QuietStart.time) }
      var events = [descriptor.number, bell.number].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      events += streams.map { pollfd(fd: isQuiet ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0) }
      events.append(pollfd(fd: watchedOutput, events: 0, revents: 0))
      guard poll(&events, nfds_t(events.count), wakeAt.map(millisecondsUntil) ?? -1) >= 0 || errno == EINTR else {
        throw SystemError("cannot wait for a job")
      }
      if events[1].revents != 0 { bell.hear() }
      if let output = events.last, output.revents != 0 {
        watchedOutput = -1
        if output.revents & Int16(POLLERR) != 0 { readerHasGone() }
      }
      let hasEnded = events[0].revents != 0
      for index in streams.indices where events[index + 2].revents != 0 || hasEnded {
        do {
          try read(&streams[index], job, untilEmpty: hasEnded)
        } catch {
          // The job must not fill a pipe that no one reads: it ends, and fails with this reason.
          failure = failure ?? error
          kill(-process.id, SIGKILL)
          streams[index].descriptor = -1
        }
      }
      if hasEnded { break waiting }
    }
    if let forced = end { tree?.end(by: stop.stage == .killing ? 0 : forced.killAt) }
    var value: Int32 = 0
    let ending = millrace_job_reap(descriptor.number, &value)
    if let failure { throw failure }
    if let end { return end.reason }
    guard ending >= 0 else { throw SystemError("cannot learn how a job ended") }
    return ending == 0 ? .exited(value) : .signaled(value)
  }

  /// An end that we brought about.
  private struct ForcedEnd {
    var reason: JobEnding
    var killAt: UInt64
    var isKilled = false
  }

  private func reasonToEnd(_ start: UInt64) -> JobEnding? {
    if stop.stage > .draining { return .stopped }
    if let limit = limit(), monotonicNow() - start >= limit { return .timedOut }
    return nil
  }

  /// Takes what a stream has; after the job's end all of it.
  private func read(_ reader: inout StreamReader, _ job: JobValues, untilEmpty: Bool) throws {
    repeat {
      guard reader.descriptor >= 0, let bytes = try reader.readOnce() else { return }
      guard grouping == .lines, let end = bytes.lastIndex(of: .newline) else {
        try reader.capture.append(bytes, spill: spill)
        continue
      }
      try reader.capture.append(bytes[...end], spill: spill)
      printLines(job, reader.stream, reader.capture)
      reader.capture = Capture(memory: captureMemory)
      try reader.capture.append(bytes[(end + 1)...], spill: spill)
    } while untilEmpty
  }
}

/// One stream of a running job.
private struct StreamReader {
  let stream: OutputWriter.Stream
  /// -1 after its end.
  var descriptor: Int32
  var capture: Capture
  var received = 0

  init(_ stream: OutputWriter.Stream, _ descriptor: Int32, _ memory: Int) {
    self.stream = stream
    self.descriptor = descriptor
    capture = Capture(memory: memory)
  }

  /// What is there now; nil if nothing is.
  mutating func readOnce() throws -> Bytes? {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&event, 1, 0) == 1 else { return nil }
    guard event.revents & Int16(POLLIN) != 0 else {
      descriptor = -1
      return nil
    }
    let bytes = Bytes(unsafeUninitializedCapacity: 64 * 1024) { buffer, count in
      count = max(Glibc.read(descriptor, buffer.baseAddress, buffer.count), 0)
    }
    if bytes.isEmpty {
      descriptor = -1
      return nil
    }
    received += bytes.count
    return bytes
  }
}

func wallClockMicroseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}
#endif
