#if CLI && Cluster
import Logging
import Millrace
import MillraceCluster
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The jobs of a run on the agents of a cluster, each an item of a pool.
final class ClusterJobs: Sendable {
  private let pool: WorkerPool
  private let worker: AgentJob
  private let stop: StopState
  private let captureMemory: Int
  private let spill: SpillFile
  private let fail: @Sendable (String) -> Void
  /// What is out, by the jobs' sequence.
  private let out = Lock<[Int: Submission<AgentJob.Report>]>([:])

  /// - Parameters:
  ///   - limit: how long a job may run, in nanoseconds.
  ///   - fail: told what keeps all jobs from being run.
  init(
    _ place: ClusterPlace, command: AgentCommand, width: Int, limit: UInt64?, stop: StopState, captureMemory: Int,
    spill: SpillFile, say: @escaping @Sendable (String) -> Void, fail: @escaping @Sendable (String) -> Void
  ) throws {
    (self.stop, self.captureMemory, self.spill, self.fail) = (stop, captureMemory, spill, fail)
    worker = AgentJob(command: command, limit: limit)
    do {
      let (url, job) = try place.address(say)
      let name = job ?? Self.freshName()
      let launch: ClusterLaunch = place.hosts.isEmpty ? .external : .ssh(place.hosts.map { ($0.name, $0.slots) })
      if job == nil, place.hosts.isEmpty { say("waiting for agents of job \(name)") }
      pool = try WorkerPool(
        .cluster(engine: .redis(url, job: name), launch: launch, width: width),
        logger: Logger(label: "millrace") { _ in Saying(say: say) })
    } catch let error as InvalidOption {
      throw UsageError("--cluster: \(error)")
    } catch let error as EngineError {
      throw UsageError("--cluster: \(error)")
    }
    stop.whenEnding { [weak self] in self?.cancel() }
  }

  private static func freshName() -> String {
    String(UInt64.random(in: .min ... .max), radix: 36)
  }

  /// Returns what came of a try. Which agent has it, and whether it has begun, is not known here meanwhile.
  func run(_ job: JobValues) async -> JobResult {
    let (started, begun) = (wallClockMicroseconds(), MonotonicTime.now)
    func ended(_ ending: JobEnding) -> JobResult {
      JobResult(job: job, ending: ending, started: started, runtimeNanoseconds: MonotonicTime.now - begun)
    }
    do {
      let submission = try pool.submit(
        AgentJob.Order(sequence: job.sequence, arguments: job.arguments), with: worker)
      _ = out.withLock { $0.updateValue(submission, forKey: job.sequence) }
      defer { _ = out.withLock { $0.removeValue(forKey: job.sequence) } }
      if stop.stage > .draining { submission.cancel() }
      var report = try await submission.value
      if report.ending == .stopped { report.ending = .lost("its agent has ended it") }
      return try report.result(for: job, memory: captureMemory, spill)
    } catch is CancellationError {
      return ended(.stopped)
    } catch let failure as ItemFailure {
      return ended(.lost("\(failure.cause)"))
    } catch let error as SystemError {
      return ended(.lost("\(error)"))
    } catch {
      fail("\(error)")
      return ended(.notRun)
    }
  }

  /// Agents end what they have of it.
  private func cancel() {
    for submission in out.withLock({ Array($0.values) }) { submission.cancel() }
  }

  func end() async {
    do {
      if stop.stage > .draining { try await pool.terminate() } else { try await pool.shutdown() }
    } catch {
      fail("\(error)")
    }
  }
}

extension ClusterPlace {
  /// Where the queue is, and the job that agents know it by, if one is named.
  fileprivate func address(_ say: (String) -> Void) throws -> (url: String, job: String?) {
    let url: String
    let job: String?
    if queue.hasPrefix("@") {
      let file = try SettingsFile(named: String(queue.dropFirst()))
      if let warning = file.warning { say(warning) }
      let fields = file.fields
      let address = try AgentSettings.address(fields)
      // With what the file says of it in lines of its own.
      (url, job) = (address.wholeURL, fields["job"])
    } else {
      let parts = queue.split(separator: "?", maxSplits: 1)
      let words = parts.count == 2 ? parts[1].split(separator: "&") : []
      job = words.first { $0.hasPrefix("job=") }.map { String($0.dropFirst(4)) }
      let rest = words.filter { !$0.hasPrefix("job=") }
      url = (parts.first.map(String.init) ?? "") + (rest.isEmpty ? "" : "?" + rest.joined(separator: "&"))
    }
    var address = try RedisAddress(url)
    if address.password?.isEmpty ?? true { address.password = getenv("REDISCLI_AUTH").map { String(cString: $0) } }
    return (address.wholeURL, job)
  }
}

/// Warnings and what is worse are said as all else that the command has to say.
private struct Saying: LogHandler {
  let say: @Sendable (String) -> Void
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.notice
  var metadataProvider: Logger.MetadataProvider?

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let details = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    say("\(event.message)" + (details.isEmpty ? "" : " (\(details.joined(separator: ", ")))"))
  }
}
#endif
