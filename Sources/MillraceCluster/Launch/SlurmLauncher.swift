import CMillrace
import Logging
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Agents as the tasks of a job of Slurm's: submitted once, cancelled with the pool. They may begin in hours, and come back by themselves. Where none
/// is there Slurm is asked, now and then, whether the job is: one that is not brings none, and the next map submits another.
final class SlurmLauncher: AgentLauncher {
  private enum Phase {
    case idle
    case submitting(Task<String, any Error>)
    case submitted(String)
    /// With the number of the job, and how its tasks have ended.
    case over(String, String)
    case ended
  }

  private struct State {
    var phase = Phase.idle
    var logger: Logger?
    /// Who asks Slurm for the job.
    var asking: Task<Void, Never>?
    /// When agents were missed last, when to ask, and how long to wait then for the next time.
    var missedAt: UInt64 = 0
    var askAt: UInt64 = 0
    var pause: UInt64 = 0
  }

  private let job: SlurmJob
  private let settings: AgentSettings
  private let state = Lock(State())
  /// How long Slurm's programs may take to answer.
  private static let limit: Duration = .seconds(60)
  /// How long the end waits for a submission that is under way, and for agents that are tearing down.
  private static let grace: Duration = .seconds(10)
  /// How long agents are missed before Slurm is asked, and the longest pause between two questions: each is twice as long as the one before.
  private static let pauses: (first: UInt64, longest: UInt64) = (1_000_000_000, 60_000_000_000)

  /// - Parameter job: with the name of a file of settings that does not exist.
  init(_ job: SlurmJob, _ settings: AgentSettings) { (self.job, self.settings) = (job, settings) }

  var isOpenEnded: Bool { true }
  var isExhausted: Bool { state.withLock { if case .over = $0.phase { true } else { false } } }
  func hasAll(_ count: Int) -> Bool { count >= job.agents }

  var whyExhausted: String? {
    guard case .over(let number, let ends) = state.withLock({ $0.phase }) else { return nil }
    return "Slurm's job \(number) is over\(ends.isEmpty ? "" : " (\(ends))")"
  }

  // MARK: Submitting

  /// What is submitted is known to whoever ends it: the submission goes on though this task is cancelled.
  func launch(logger: Logger) async throws {
    let submission: Task<String, any Error>? = state.withLock { state in
      state.logger = logger
      switch state.phase {
      case .submitted, .ended: return nil
      case .submitting(let submission): return submission
      case .idle, .over:
        let submission = Task { try await self.submit(logger) }
        state.phase = .submitting(submission)
        return submission
      }
    }
    guard let submission else { return }
    let bell = TaskBell()
    Task {
      _ = await submission.result
      bell.ring()
    }
    await withTaskCancellationHandler {
      await bell.waitForRing()
    } onCancel: {
      bell.ring()
    }
    try Task.checkCancellation()
    _ = try await submission.value
  }

  private func submit(_ logger: Logger) async throws -> String {
    do {
      try writeSettings()
      let run: ProgramRun
      let found: String?
      do {
        run = try await ProgramRun(job.submission, text: job.script, within: Self.limit)
        found = run.hasSucceeded ? SlurmJob.number(in: run.output) : nil
        guard found != nil else { throw WorkerPoolError(.cannotStart, "sbatch \(run.reason)") }
      } catch {
        unlink(job.settingsFile)
        throw error
      }
      let number = found ?? ""
      var details: Logger.Metadata = ["job": "\(number)", "agents": "\(job.agents)"]
      if !run.problems.isEmpty { details["sbatch"] = "\(run.problems)" }
      logger.notice("agents are submitted to Slurm", metadata: details)
      become(.submitted(number))
      return number
    } catch {
      become(.idle)
      throw error
    }
  }

  private func become(_ phase: Phase) {
    state.withLock { state in
      guard case .submitting = state.phase else { return }
      state.phase = phase
      state.missedAt = 0
    }
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

  // MARK: Asking

  func missAgents(logger: Logger) {
    let now = MonotonicTime.now
    state.withLock { state in
      guard case .submitted(let number) = state.phase, state.asking == nil else { return }
      // There was one in between.
      if now &- state.missedAt > 2 * Self.pauses.first {
        (state.pause, state.askAt) = (Self.pauses.first, now &+ Self.pauses.first)
      }
      state.missedAt = now
      guard now >= state.askAt else { return }
      state.asking = Task { await self.ask(number) }
    }
  }

  private func ask(_ number: String) async {
    let standing = await Self.standing(of: number)
    let isOver = state.withLock { state in
      let now = MonotonicTime.now
      state.asking = nil
      state.pause = min(2 * state.pause, Self.pauses.longest)
      (state.missedAt, state.askAt) = (now, now &+ state.pause)
      guard case .over(let ends) = standing, case .submitted(number) = state.phase else { return false }
      state.phase = .over(number, ends)
      return true
    }
    // Nobody will read it any more.
    if isOver { unlink(job.settingsFile) }
  }

  /// Nil: nobody knows.
  private static func standing(of number: String) async -> SlurmJob.Standing? {
    guard let run = try? await ProgramRun(SlurmJob.query(number), text: "", within: limit) else { return nil }
    return SlurmJob.standing(run.hasSucceeded, run.output, problems: run.problems)
  }

  // MARK: Ending

  func end(_ alive: Set<String>) async {
    let (phase, asking, logger) = state.withLock { state in
      defer { state.phase = .ended }
      return (state.phase, state.asking, state.logger)
    }
    asking?.cancel()
    await asking?.value
    let number: String
    switch phase {
    case .idle, .over, .ended: return
    case .submitting(let submission):
      let alarm = Task {
        do { try await Task.sleep(for: Self.grace) } catch { return }
        submission.cancel()
      }
      let submitted = try? await submission.value
      alarm.cancel()
      await alarm.value
      guard let submitted else { return }
      number = submitted
    case .submitted(let submitted): number = submitted
    }
    await cancel(number, hasAgents: !alive.isEmpty, logger)
    unlink(job.settingsFile)
  }

  /// What does not run has not to begin. Agents that run hear that the job is over, and tear their workers down: Slurm's signal would be for all of
  /// their processes, and is for those that are still there in the end.
  private func cancel(_ number: String, hasAgents: Bool, _ logger: Logger?) async {
    if hasAgents {
      _ = try? await ProgramRun(SlurmJob.cancellation(number, states: "PENDING"), text: "", within: Self.grace)
      let begun = MonotonicTime.now
      var pause = Duration.milliseconds(50)
      var isTold = false
      while MonotonicTime.now &- begun < Self.grace.nanoseconds {
        if case .over = await Self.standing(of: number) { return }
        // They have not heard it: the queue does not answer, or the job is another program's by now.
        if !isTold, MonotonicTime.now &- begun > Farewell.limit.nanoseconds {
          isTold = true
          _ = try? await ProgramRun(SlurmJob.notice(number), text: "", within: Self.grace)
        }
        try? await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(1))
      }
    }
    do {
      let run = try await ProgramRun(SlurmJob.cancellation(number), text: "", within: Self.limit)
      guard !run.hasSucceeded, !run.problems.contains("Invalid job id") else { return }
      logger?.warning("Slurm's job could not be cancelled: scancel \(run.reason)", metadata: ["job": "\(number)"])
    } catch {
      logger?.warning("Slurm's job could not be cancelled: \(error)", metadata: ["job": "\(number)"])
    }
  }
}
