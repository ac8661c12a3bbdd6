/// A job array of Slurm's, of which each task is an agent, as a batch script.
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

  /// `sbatch` takes the script by its standard input, and says the number of the job, alone.
  package static let submission = ["sbatch", "--parsable"]

  package static func cancellation(_ number: String) -> [String] { ["scancel", number] }

  /// The number of the job in what `sbatch` has said: `1234`, or `1234;cluster`.
  package static func number(in output: String) -> String? {
    let number = output.split(whereSeparator: \.isNewline).last?.prefix { $0 != ";" } ?? ""
    return number.isEmpty || !number.utf8.allSatisfy({ (48...57).contains($0) }) ? nil : String(number)
  }

  /// A task that Slurm ends, for its time is over or for another job, is told half a minute before, and gives back what it has; one whose node
  /// dies is queued again.
  package var script: String {
    let lines =
      [
        "--job-name=\(name)", "--array=1-\(agents)", "--ntasks=1", "--cpus-per-task=\(slots)", "--requeue",
        "--signal=B:TERM@30", "--open-mode=append",
      ] + options
    return """
      #!/bin/sh
      \(lines.map { "#SBATCH \($0)" }.joined(separator: "\n"))
      \(AgentSettings.variable)=\("@\(settingsFile)".quotedForShell) exec \(program.quotedForShell)

      """
  }
}

extension String {
  /// As one word of a shell's.
  var quotedForShell: String { "'\(replacing("'", with: "'\\''"))'" }
}
