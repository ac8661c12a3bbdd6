#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
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
  /// From SIGKILL to the moment when we no longer wait: the system may be slow to let go of a process.
  private static let patience: UInt64 = 10_000_000_000

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
  ///
  /// Where the system has no room for it, it waits for its start.
  func run(_ job: JobValues) -> JobResult {
    var result = JobResult(job: job, ending: .notRun)
    stop.gate.enter()
    defer { stop.gate.leave() }
    do {
      guard let started = try start(job) else { return result }
      stop.gate.started()
      result.started = wallClockMicroseconds()
      let start = stop.now()
      var streams = started.streams.map { StreamReader($0.stream, $0.descriptor, captureMemory) }
      stop.begun(RunningJob(values: job, leader: started.id, bell: started.bell.rawValue))
      defer {
        stop.ended(slot: job.slot)
        result.runtimeNanoseconds = stop.now() - start
      }
      result.ending = try supervise(started, &streams, &result, start)
      result.received = streams.first?.received ?? 0
      quiet.learn(streams.reduce(0) { $0 + $1.received })
      result.captures = streams.filter { !$0.capture.isEmpty }.map { ($0.stream, $0.capture) }
    } catch let error as StartedJob.Lost {
      result.ending = .lost(error.description)
    } catch {
      result.ending = .failed("\(error)")
    }
    return result
  }

  /// Starts a job as soon as there is room for it; nil if the run ends before.
  private func start(_ job: JobValues) throws -> StartedJob? {
    while stop.stage == .running {
      do {
        return try stop.gate.start {
          try StartedJob.start(job, spawner, captures: grouping != .none, gate: stop.gate)
        }
      } catch let error as SystemError where error.isWantOfRoom {
        try stop.gate.stepBack(for: error)
      }
    }
    return nil
  }

  /// Waits for the end of a process, reading its streams meanwhile.
  ///
  /// Its end counts, not that of its streams: a process that the job leaves behind may hold them for ever.
  private func supervise(
    _ started: borrowing StartedJob, _ streams: inout [StreamReader], _ result: inout JobResult, _ start: UInt64
  ) throws -> JobEnding {
    let job = result.job
    var end: ForcedEnd?
    var tree: ProcessTree?
    var failure: (any Error)?
    var watchedOutput: Int32 = 1
    waiting: while true {
      if end == nil, let reason = reasonToEnd(start) {
        var own = ProcessTree(leader: started.id, job: job.sequence, spawner.processes)
        // One that stands still would not hear the first.
        own.signal(SIGTERM, SIGCONT)
        tree = consume own
        end = ForcedEnd(reason: reason, killAt: stop.now() + Self.grace)
      }
      if var forced = end, !forced.isKilled, stop.stage == .killing || stop.now() >= forced.killAt {
        tree?.signal(SIGKILL)
        forced.isKilled = true
        end = forced
      }
      if let forced = end, forced.isKilled {
        // One that changed its user (as sudo does) is not ours to end, and we are not its prisoners.
        if millrace_pidfd_signal(started.process.rawValue, 0) == EPERM { break waiting }
        if stop.now() >= forced.killAt + Self.patience { break waiting }
      }
      var wakeAt = end.map { $0.isKilled ? $0.killAt + Self.patience : $0.killAt } ?? limit().map { start + $0 }
      let isQuiet = quiet.lasts(since: start, now: stop.now())
      if isQuiet { wakeAt = min(wakeAt ?? .max, start + QuietStart.time) }
      var events = [started.process.rawValue, started.bell.rawValue].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      events += streams.map { pollfd(fd: isQuiet ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0) }
      events.append(pollfd(fd: watchedOutput, events: 0, revents: 0))
      guard
        poll(&events, nfds_t(events.count), wakeAt.map { millisecondsUntil(stop.monotonic($0)) } ?? -1) >= 0
          || errno == EINTR
      else {
        failure = SystemError("cannot wait for a job")
        kill(-started.id, SIGKILL)
        break waiting
      }
      if events[1].revents != 0 { started.bell.hear() }
      if let output = events.last, output.revents != 0 {
        watchedOutput = -1
        if output.revents & Int16(POLLERR) != 0 { readerHasGone() }
      }
      let isOver = events[0].revents != 0
      for index in streams.indices where events[index + 2].revents != 0 || isOver {
        do {
          try read(&streams[index], job, isOver: isOver)
        } catch {
          // The job must not fill a pipe that no one reads: it ends, and fails with this reason.
          failure = failure ?? error
          kill(-started.id, SIGKILL)
          streams[index].descriptor = -1
        }
      }
      if isOver { break waiting }
    }
    if end != nil || failure != nil {
      var own = tree.take() ?? ProcessTree(leader: started.id, job: job.sequence, spawner.processes)
      let killAt = failure != nil || stop.stage == .killing ? 0 : end.map { stop.monotonic($0.killAt) } ?? 0
      result.leavesProcesses = !own.end(by: killAt, latest: max(killAt, MonotonicTime.now) + Self.patience)
    }
    stop.ended(slot: job.slot)
    // What cannot be ended cannot be reaped.
    if result.leavesProcesses, !hasEnded(started.process.rawValue) {
      return failure.map { .lost("\($0)") } ?? end?.reason ?? .stopped
    }
    var value: Int32 = 0
    let ending = millrace_job_reap(started.process.rawValue, &value)
    if let failure { throw StartedJob.Lost(description: "\(failure)") }
    if let end { return end.reason }
    guard ending >= 0 else { throw StartedJob.Lost(description: "\(SystemError("cannot learn how it ended"))") }
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
    if let limit = limit(), stop.now() - start >= limit { return .timedOut }
    return nil
  }

  /// Takes what a stream has; after the job's end all that it has left there, and not what others go on to write.
  private func read(_ reader: inout StreamReader, _ job: JobValues, isOver: Bool) throws {
    var rest = isOver ? reader.waiting : 1
    repeat {
      guard reader.descriptor >= 0, let bytes = try reader.readOnce() else { return }
      rest -= bytes.count
      guard grouping == .lines, let end = bytes.lastIndex(of: .newline) else {
        try reader.capture.append(bytes, spill: spill)
        continue
      }
      try reader.capture.append(bytes[...end], spill: spill)
      printLines(job, reader.stream, reader.capture)
      reader.capture = Capture(memory: captureMemory)
      try reader.capture.append(bytes[(end + 1)...], spill: spill)
    } while rest > 0
  }
}

func wallClockMicroseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1000
}
#endif
