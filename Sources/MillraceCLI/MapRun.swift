#if CLI
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// What `millrace map` was asked for, checked.
struct MapSettings: Sendable {
  /// As it was given.
  var command = AgentCommand()
  var template: CommandTemplate
  var sources: InputSources
  var format = InputFormat()
  var width = 1
  /// As many as can be, so nothing is said where that is fewer.
  var isWidthUnbounded = false
  var order = MapOptions.Order.completion
  var grouping = OutputGrouping.whole
  var isTagged = false
  var isDryRun = false
  /// How far it is, as it is shown.
  var progress = ProgressStyle.none
  var showsProgress = false
  /// The jobs are counted before any is begun, to show how many are left.
  var countsFirst = false
  var logPath: Bytes?
  var timeLimit: TimeLimit?
  var attempts = 1
  var halt: HaltPolicy?
  /// Where jobs run, if that is not here.
  var cluster: ClusterPlace?
  var temporaryDirectory = "/tmp"
}

/// One run of `millrace map`: its jobs, what they mean for each other, and the exit code in the end.
final class MapRun: Sendable {
  private struct Progress {
    var tally: Tally
    var runtimes = RunningMedian()
    var isOutputClosed = false
    var hasFailed = false
    /// By their sequence: tries that failed, of jobs that the pool tries again.
    var failedTries: [Int: JobResult] = [:]
  }

  /// A job that has ended, and what we have to say about it.
  private struct Delivery: Sendable {
    var sequence: Int
    var output: JobOutput
  }

  private let options: MapSettings
  private let spawner: JobSpawner
  private let spill: SpillFile
  private let writer: OutputWriter
  private let stop: StopState
  private let signals: SignalStages
  private let log: JobLog?
  private let progress: Lock<Progress>

  /// Opens everything that can be missing, so that a run that cannot work starts no job.
  ///
  /// `millrace_job_prepare_signals` must have been called.
  init(_ options: MapSettings) throws {
    var options = options
    let spill = SpillFile(directory: options.temporaryDirectory)
    let writer = OutputWriter(spill: spill, hasBars: options.showsProgress)
    // A shell of ours and what it starts.
    let processes = options.template.words == nil ? 3 : 1
    // Of one that runs elsewhere there is a thread here.
    let width =
      options.cluster != nil ? options.width : SystemRoom.now().jobs(wanted: options.width, processes: processes)
    if width < options.width, !options.isWidthUnbounded {
      writer.say("the system has room for \(width) of \(options.width) jobs at once")
    }
    options.width = width
    let spawner = try JobSpawner(
      template: options.template, environment: JobSpawner.ownEnvironment(), starting: StartingShell.find())
    let stop = try StopState(gate: StartGate(width: width) { writer.say($0) }, processes: spawner.processes)
    options.format.stop = stop.inputStop
    self.stop = stop
    self.spill = spill
    self.writer = writer
    self.options = options
    self.spawner = spawner
    signals = SignalStages(stop: stop) {
      writer.say($0)
    } text: { [template = options.template] in
      template.text(for: $0)
    }
    // Before anything is opened, for that may wait for ever, and before tasks, for which there may be no thread.
    try signals.start()
    if let path = options.logPath, !options.isDryRun { log = try JobLog(path: path, writer) } else { log = nil }
    progress = Lock(Progress(tally: Tally(policy: options.halt)))
  }

  /// Runs all jobs; returns the exit code.
  func run() async throws -> Int32 {
    if options.sources.groups.joined().contains(.standardInput), isatty(0) != 0 {
      let what = options.template.isEmpty ? "commands" : "values"
      writer.say("reading \(what) from the terminal, one a line; Ctrl-D ends them (or give them after :::)")
    }
    let cursor = try InputCursor(options.sources, options.format)
    let total = options.halt?.needsTotal == true || options.countsFirst ? try cursor.total() : nil
    do { try log?.begin() } catch is OutputWriter.ReaderGone { readerHasGone() }
    signals.begin()
    let held = options.order == .input ? try HeldResults(first: 1, spill: spill) : nil
    let inputs = AnySequence<[Bytes]> { [stop] in
      AnyIterator {
        held?.waitForRoom(stop: stop.inputStop)
        return stop.stage == .running ? cursor.next() : nil
      }
    }
    if let total {
      progress.withLock { $0.tally = Tally(policy: options.halt, total: total) }
    }
    let (run, end) = try makePlace()
    try await runJobs(
      inputs: inputs, width: options.width, attempts: max(options.attempts, 1),
      progress: options.progress.expecting(total)
    ) { [self] arguments, index, slot in
      try await work(on: JobValues(sequence: index + 1, slot: slot + 1, arguments: arguments), run)
    } deliver: { [self] delivery in
      guard let held else { return print(delivery.output) }
      if let reason = held.add(delivery.output, sequence: delivery.sequence) {
        writer.say("\(reason); no more jobs are begun until those are printed that wait for an earlier one")
      }
      do {
        while let output = try held.take() { print(output) }
      } catch {
        fail("\(error)")
      }
    }
    if let failure = cursor.failure { fail("\(failure)") }
    await end()
    return exitCode
  }

  /// What runs jobs, and lets go of what it needs for that.
  private typealias Place = (run: @Sendable (JobValues) async -> JobResult, end: () async -> Void)

  private func makePlace() throws -> Place {
    #if Cluster
    if let place = options.cluster, !options.isDryRun {
      let jobs = try ClusterJobs(
        place, command: options.command, width: options.width, limit: options.timeLimit?.limit(RunningMedian()),
        stop: stop, captureMemory: captureMemory, spill: spill, say: { [writer] in writer.say($0) },
        fail: { [self] in fail($0) })
      return (jobs.run, jobs.end)
    }
    #endif
    let runner = makeRunner()
    return ({ runner.run($0) }, {})
  }

  private var exitCode: Int32 {
    progress.withLock { progress in
      if progress.hasFailed { return MillraceExit.otherError }
      if progress.isOutputClosed { return MillraceExit.outputClosed }
      if let signal = signals.firstSignal { return MillraceExit.signal(signal) }
      return progress.tally.exitCode
    }
  }

  /// Two streams each; where results wait for their turn, there is a bound for all.
  private var captureMemory: Int {
    options.order == .input
      ? min(1024 * 1024, max(16 * 1024, HeldResults.memory / (2 * options.width))) : 1024 * 1024
  }

  private func makeRunner() -> JobRunner {
    JobRunner(
      spawner: spawner, grouping: options.grouping, quiet: QuietStart(isWanted: options.grouping == .whole),
      captureMemory: captureMemory, spill: spill, stop: stop,
      limit: { [self] in
        options.timeLimit.flatMap { limit in progress.withLock { limit.limit($0.runtimes) } }
      },
      printLines: { [self] job, stream, capture in
        print([(stream, capture)], tag: tag(of: job))
      },
      readerHasGone: { [self] in readerHasGone() })
  }

  /// One try at a job.
  private func work(
    on job: JobValues, _ run: @Sendable (JobValues) async -> JobResult
  ) async throws(JobFailed<Delivery>) -> Delivery {
    let earlier = progress.withLock { $0.failedTries.removeValue(forKey: job.sequence) }
    // It was read, or had failed, before the run was stopped, and has not begun.
    guard stop.stage == .running else { return try conclude(earlier ?? JobResult(job: job, ending: .notRun)) }
    if options.isDryRun {
      var capture = Capture(memory: .max)
      capture.append(options.template.text(for: job) + [.newline])
      return Delivery(sequence: job.sequence, output: JobOutput(tag: tag(of: job), captures: [(.output, capture)]))
    }
    let result = await run(job)
    if result.ending == .notRun, let earlier { return try conclude(earlier) }
    guard result.ending.code != 0, stop.stage == .running,
      WorkerContext.current.map({ $0.attempt < options.attempts }) ?? false
    else { return try conclude(result) }
    progress.withLock { $0.failedTries[job.sequence] = result }
    throw JobFailed(output: Delivery(sequence: job.sequence, output: JobOutput()), isWorthAnother: true)
  }

  /// What is delivered of a job's last try.
  private func conclude(_ result: JobResult) throws(JobFailed<Delivery>) -> Delivery {
    let delivery = delivery(of: result)
    switch result.ending {
    // That the run ends is no failure of the job's.
    case .exited(0), .stopped, .notRun: return delivery
    default: throw JobFailed(output: delivery, isWorthAnother: false)
    }
  }

  private func delivery(of result: JobResult) -> Delivery {
    let job = result.job
    let message = account(for: result)
    // Output of a job that we cut off for the end of the run is no result.
    guard result.ending != .stopped else {
      return Delivery(sequence: job.sequence, output: JobOutput(message: message))
    }
    let tag = result.captures.isEmpty ? nil : tag(of: job)
    return Delivery(
      sequence: job.sequence, output: JobOutput(tag: tag, captures: result.captures, message: message))
  }

  /// Logs and counts a job that has ended, stops the run if that follows from it, and returns what is to be said.
  private func account(for result: JobResult) -> Bytes? {
    guard result.ending != .notRun else { return nil }
    record(result)
    // What we ended because the run ends is no failure of its own.
    guard result.ending != .stopped else { return message([], result) }
    let (halts, hasFirstMedian) = progress.withLock { progress in
      let halts = progress.tally.record(code: result.ending.code)
      guard result.ending.code == 0 else { return (halts, false) }
      progress.runtimes.add(result.runtimeNanoseconds)
      return (halts, progress.runtimes.count == TimeLimit.fewestForMedian)
    }
    if hasFirstMedian, case .percentOfMedian = options.timeLimit { stop.wakeJobs() }
    var messages: [String] = []
    switch result.ending {
    case .timedOut: messages.append("this job was ended, since it ran too long")
    case .failed(let reason): messages.append("this job could not run (\(reason))")
    case .lost(let reason): messages.append("this job was ended, since it could not be finished (\(reason))")
    default: break
    }
    if halts, let halt = options.halt {
      stop.raise(to: halt.moment == .now ? .terminating : .draining)
      messages.append("no more jobs are started, since this one \(halt.reason.pastTense)")
    }
    return message(messages, result)
  }

  private func message(_ messages: [String], _ result: JobResult) -> Bytes? {
    var messages = messages
    if result.leavesProcesses { messages.append("processes of this job run on, for they could not be ended") }
    guard !messages.isEmpty else { return nil }
    return Bytes((messages.joined(separator: "; ") + ": " + Shown.text(options.template.text(for: result.job))).utf8)
  }

  private func record(_ result: JobResult) {
    let (exitValue, signal) = result.ending.logged
    do {
      try log?.add(
        JobLog.Entry(
          sequence: result.job.sequence, host: result.host ?? ":", started: result.started,
          runtimeMilliseconds: result.runtimeNanoseconds / 1_000_000, receivedBytes: result.received,
          exitValue: exitValue, signal: signal, command: options.template.text(for: result.job)))
    } catch is OutputWriter.ReaderGone {
      readerHasGone()
    } catch {
      fail("\(error)")
    }
  }

  private func print(_ output: JobOutput) {
    print(output.captures, tag: output.tag)
    if let message = output.message { writer.say(message) }
  }

  private func print(_ captures: [(stream: OutputWriter.Stream, capture: Capture)], tag: Bytes?) {
    guard !captures.isEmpty else { return }
    do {
      try writer.write(captures, tag: tag)
    } catch is OutputWriter.ReaderGone {
      readerHasGone()
    } catch {
      fail("\(error)")
    }
  }

  /// Nobody wants more: the run ends, quietly.
  private func readerHasGone() {
    progress.withLock { $0.isOutputClosed = true }
    stop.raise(to: .terminating)
  }

  private func tag(of job: JobValues) -> Bytes? {
    options.isTagged ? Bytes(job.arguments.joined(separator: [.space])) : nil
  }

  /// Something of our own went wrong: results would be lost from here on, so the run ends.
  private func fail(_ reason: String) {
    let isFirst = progress.withLock { progress in
      defer { progress.hasFailed = true }
      return !progress.hasFailed
    }
    if isFirst { writer.say(reason) }
    stop.raise(to: .terminating)
  }
}
#endif
