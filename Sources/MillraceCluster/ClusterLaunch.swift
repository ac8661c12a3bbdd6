#if Cluster
public import Millrace

/// How a cluster's agents come to run: each is this same executable, in which the queue is worked for instead of `main`.
public struct ClusterLaunch: Sendable {
  enum Kind: Sendable {
    case external
    case local(agents: Int)
    case ssh([(host: String, slots: Int)], SSHProgram)
    case slurm(SlurmJob, folder: String?)
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
    ClusterLaunch(kind: .ssh(hosts.map { (host: $0.0, slots: $0.1) }, path.map { .path($0) } ?? .here), slots: 1)
  }

  /// As ``ssh(_:path:)``, with the executable brought there first, once for each build of it: to `~/.cache/millrace` (or
  /// `$XDG_CACHE_HOME/millrace`), under the build's fingerprint. Older ones stay there.
  ///
  /// What the executable needs has to be there, such as Swift's libraries, unless they are in it (`--static-swift-stdlib`).
  public static func ssh(copyingTo hosts: [(String, Int)]) -> ClusterLaunch {
    ClusterLaunch(kind: .ssh(hosts.map { (host: $0.0, slots: $0.1) }, .copied), slots: 1)
  }

  /// Agents as the tasks of a job array of Slurm's, which `sbatch` takes. They are waited for as long as it takes, and cancelled with the pool.
  ///
  /// - Parameters:
  ///   - agents: How many tasks.
  ///   - slots: How many CPUs each has, and how many worker processes.
  ///   - folder: Where the file with their settings is put meanwhile, readable by this user only: on a file system that all nodes have, as the
  ///     executable has to be. Default: the current folder.
  ///   - options: More of `sbatch`'s, each as one word: `["--partition=long", "--time=8:00:00"]`.
  public static func slurm(
    agents: Int, slots: Int = 1, folder: String? = nil, options: [String] = []
  ) -> ClusterLaunch {
    var job = SlurmJob()
    (job.agents, job.slots, job.options) = (agents, slots, options)
    return ClusterLaunch(kind: .slurm(job, folder: folder), slots: slots)
  }

  /// An agent that a command starts, such as `["docker", "run", "-i", …]`: its standard input has to reach the agent, and
  /// the variable `MILLRACE_AGENT=stdin` has to be in the agent's environment.
  public static func command(_ words: [String], slots: Int = 1) -> ClusterLaunch {
    ClusterLaunch(kind: .command(words), slots: slots)
  }

  /// A Job of Kubernetes' whose pods are agents, as the YAML that `kubectl apply -f -` takes: for ``external``.
  ///
  /// Their settings, the queue's password among them, are a secret, made of the file that agents read:
  /// `kubectl create secret generic NAME --from-file=agent=/path/to/file`.
  ///
  /// - Parameters:
  ///   - job: The job's name, as in ``ClusterEngine/redis(_:job:)``, with 54 characters at the most. The Job is called `millrace-` and that name,
  ///     in small letters, with '-' in the place of what Kubernetes does not allow.
  ///   - image: The image that has the executable, as `registry/name:tag`.
  ///   - command: The executable in it, and its arguments.
  ///   - secret: The secret's name.
  ///   - agents: How many pods; from 1 to 4096.
  ///   - slots: How many CPUs each asks for, from 1 to 4096; `slots=` in the settings says how many worker processes it has.
  /// - Throws: an ``Millrace/InvalidOption`` that names what cannot be so, and what is allowed.
  public static func kubernetesJob(
    job: String, image: String, command: [String], secret: String, agents: Int, slots: Int = 1
  ) throws(InvalidOption) -> String {
    let job = KubernetesJob(
      job: job, image: image, command: command, secret: secret, agents: agents, slots: slots)
    try job.validate()
    return job.text
  }

  /// The line for a shell that starts an agent by hand, where a server needs no password: those belong into a file of mode 0600, which
  /// `MILLRACE_AGENT=@file` names. The program is the one that asks, as it was started.
  ///
  /// - Parameters:
  ///   - url: Where the queue is, as in ``ClusterEngine/redis(_:job:)``.
  ///   - job: The job's name, as there: letters, digits, '-', '_' and '.'.
  ///   - slots: How many worker processes the agent has; from 1 to 4096.
  /// - Throws: an ``Millrace/InvalidOption`` that names what cannot be so, and what is allowed.
  public static func agentCommand(url: String, job: String, slots: Int = 1) throws(InvalidOption) -> String {
    try agentCommand(url: url, job: job, slots: slots, program: CommandLine.arguments.first ?? "program")
  }

  static func agentCommand(
    url: String, job: String, slots: Int, program: String
  ) throws(InvalidOption) -> String {
    do throws(EngineError) { _ = try RedisAddress(url) } catch {
      throw InvalidOption(name: "url", value: RedisAddress.masked(url), allowed: error.allowed)
    }
    try Self.check("slots", slots)
    try Self.check(job: job)
    let settings = "\(url)\(url.contains("?") ? "&" : "?")job=\(job)&slots=\(slots)"
    return "\(AgentSettings.variable)=\(settings.quotedForShell) \(program.quotedForShell)"
  }

  static func check(_ name: String, _ number: Int) throws(InvalidOption) {
    guard (1...4_096).contains(number) else {
      throw InvalidOption(name: name, value: "\(number)", allowed: "1 to 4096")
    }
  }

  static func check(job: String) throws(InvalidOption) {
    guard AgentSettings.isName(job) else {
      throw InvalidOption(name: "job", value: job, allowed: "letters, digits, '-', '_' and '.'")
    }
  }
}
#endif
