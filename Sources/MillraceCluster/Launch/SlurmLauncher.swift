import CMillrace
import Logging
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Agents as the tasks of a job of Slurm's: submitted once, cancelled with the pool. They may begin in hours, and come back by themselves.
final class SlurmLauncher: AgentLauncher {
  private enum Phase { case idle, submitted(String), ended }

  private let job: SlurmJob
  private let settings: AgentSettings
  private let phase = Lock(Phase.idle)
  /// How long Slurm's programs may take to answer.
  private static let limit: Duration = .seconds(60)

  /// - Parameter job: with the name of a file of settings that does not exist.
  init(_ job: SlurmJob, _ settings: AgentSettings) { (self.job, self.settings) = (job, settings) }

  var isOpenEnded: Bool { true }
  var isExhausted: Bool { false }
  func hasAll(_ count: Int) -> Bool { count >= job.agents }

  func launch(logger: Logger) async throws {
    guard case .idle = phase.withLock({ $0 }) else { return }
    try writeSettings()
    let number: String
    do {
      let run = try await ProgramRun(SlurmJob.submission, text: job.script, within: Self.limit)
      guard run.hasSucceeded, let found = SlurmJob.number(in: run.output) else {
        throw WorkerPoolError(.cannotStart, "sbatch \(run.end), and said: \(run.output)")
      }
      number = found
    } catch {
      unlink(job.settingsFile)
      throw error
    }
    logger.notice("agents are submitted to Slurm", metadata: ["job": "\(number)", "agents": "\(job.agents)"])
    phase.withLock { $0 = .submitted(number) }
  }

  /// All of them, or nothing: the password is among them.
  private func writeSettings() throws {
    let file = open(job.settingsFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw SystemError("open \(job.settingsFile)", errno) }
    defer { close(file) }
    var rest = Array(settings.text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let problem = SystemError("write \(job.settingsFile)", errno)
        unlink(job.settingsFile)
        throw problem
      }
      rest = rest.dropFirst(count)
    }
  }

  func end(_ alive: Set<String>) async {
    let phase = phase.withLock { phase in
      defer { phase = .ended }
      return phase
    }
    guard case .submitted(let number) = phase else { return }
    // Those that run hear that the job is over; those that do not have not to begin.
    _ = try? await ProgramRun(SlurmJob.cancellation(number), text: "", within: Self.limit)
    unlink(job.settingsFile)
  }
}
