/// A job array of Slurm's, of which each task is an agent: how it is submitted, asked after and cancelled.
package struct SlurmJob: Sendable, Equatable {
  package var name = "millrace"
  package var agents = 1
  package var slots = 1
  /// More of `sbatch`'s, such as `--partition=long`.
  package var options: [String] = []
  /// The executable, on a file system that all nodes have.
  package var program = ""
  /// What agents are told, in a file there that nobody else may read.
  package var settingsFile = ""

  package init() {}

  /// `sbatch` takes the script by its standard input, and says the number of the job, alone. Options stand here, and not as lines of the script:
  /// there they would be cut at blanks, and the user's variables (`SBATCH_PARTITION`) would come before them.
  ///
  /// A task that Slurm ends, for its time is over or for another job, is told half a minute before, and gives back what it has; one whose node
  /// dies is queued again.
  package var submission: [String] {
    [
      "sbatch", "--parsable", "--job-name=\(name)", "--array=1-\(agents)", "--ntasks=1", "--cpus-per-task=\(slots)",
      "--requeue", "--signal=B:TERM@30", "--open-mode=append",
    ] + options
  }

  package var script: String {
    """
    #!/bin/sh
    \(AgentSettings.variable)=\("@\(settingsFile)".quotedForShell) exec \(program.quotedForShell)

    """
  }

  /// - Parameter states: only those of its tasks that are in one of these; nil: all.
  package static func cancellation(_ number: String, states: String? = nil) -> [String] {
    ["scancel"] + (states.map { ["--state=\($0)"] } ?? []) + [number]
  }

  /// Tells agents to go, and none of their worker processes.
  package static func notice(_ number: String) -> [String] { ["scancel", "--batch", "--signal=TERM", number] }

  /// Asks for a line for each task: its state, and the status that it has ended with. Those that have ended are there for some minutes.
  package static func query(_ number: String) -> [String] {
    ["squeue", "--noheader", "--states=all", "--jobs=\(number)", "--Format=State:32,exit_code:16"]
  }

  /// The number of the job in what `sbatch` has said: `1234`, or `1234;cluster`.
  package static func number(in output: String) -> String? {
    let number = output.split(whereSeparator: \.isNewline).last?.prefix { $0 != ";" } ?? ""
    return number.isEmpty || !number.utf8.allSatisfy({ (48...57).contains($0) }) ? nil : String(number)
  }

  /// What `squeue` says, and what Slurm does not know any more is over.
  package enum Standing: Sendable, Equatable {
    case underWay
    /// With how its tasks have ended, if that is still known.
    case over(String)
  }

  /// States that are a task's last.
  private static let lastStates: Set<Substring> = [
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
  ]

  /// - Parameter problems: what `squeue` has said on its standard error.
  /// - Returns: nil, if it could not be asked.
  package static func standing(_ hasSucceeded: Bool, _ output: String, problems: String) -> Standing? {
    guard hasSucceeded else { return problems.contains("Invalid job id") ? .over("") : nil }
    var ends: [String: Int] = [:]
    for line in output.split(whereSeparator: \.isNewline) {
      let words = line.split(separator: " ")
      guard let state = words.first else { continue }
      guard lastStates.contains(state) else { return .underWay }
      // As `wait` says it: the code, or the signal.
      let status = words.dropFirst().first.flatMap { Int($0) } ?? 0
      let end = status & 0x7F == 0 ? " with code \(status >> 8)" : " by signal \(status & 0x7F)"
      ends["\(state)\(status == 0 ? "" : end)", default: 0] += 1
    }
    return .over(ends.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))
  }
}

extension String {
  /// As one word of a shell's.
  var quotedForShell: String { "'\(replacing("'", with: "'\\''"))'" }
}
