#if Cluster
import Millrace

/// How a cluster's agents come to run: each is this same executable, in which the queue is worked for instead of `main`.
public struct ClusterLaunch: Sendable {
  enum Kind: Sendable {
    case external
    case local(agents: Int)
    case ssh([(host: String, slots: Int)], path: String?)
    case command([String])
  }

  let kind: Kind
  let slots: Int

  /// Somebody else starts them, any number and at any time. See ``agentCommand(url:job:slots:)``.
  public static let external = ClusterLaunch(kind: .external, slots: 1)

  /// Agents on this machine: to try things out, and for tests.
  ///
  /// - Parameters:
  ///   - agents: How many.
  ///   - slots: How many worker processes each has.
  public static func local(agents: Int, slots: Int = 1) -> ClusterLaunch {
    ClusterLaunch(kind: .local(agents: agents), slots: slots)
  }

  /// An agent on each of these hosts, with so many worker processes there, over `ssh`, which has to come in without being asked for a
  /// password. They end with this program.
  ///
  /// - Parameter path: Where the executable is on the hosts; nil: where it is here, as on a shared file system.
  public static func ssh(_ hosts: [(String, Int)], path: String? = nil) -> ClusterLaunch {
    ClusterLaunch(kind: .ssh(hosts.map { (host: $0.0, slots: $0.1) }, path: path), slots: 1)
  }

  /// An agent that a command starts, such as `["docker", "run", "-i", …]`: its standard input has to reach the agent, and
  /// the variable `MILLRACE_AGENT=stdin` has to be in the agent's environment.
  public static func command(_ words: [String], slots: Int = 1) -> ClusterLaunch {
    ClusterLaunch(kind: .command(words), slots: slots)
  }

  /// The line that starts an agent by hand, where a server needs no password: those belong into a file of mode 0600, which
  /// `MILLRACE_AGENT=@file` names.
  public static func agentCommand(url: String, job: String, slots: Int = 1) -> String {
    "\(AgentSettings.variable)='\(url)?job=\(job)&slots=\(slots)' \(CommandLine.arguments.first ?? "program")"
  }
}
#endif
