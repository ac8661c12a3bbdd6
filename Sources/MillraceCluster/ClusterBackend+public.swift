#if Cluster
import Logging
public import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension WorkerPool.Backend {
  /// Many machines: agents that take chunks from a queue.
  ///
  /// ```swift
  /// try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 2))) { pool in … }
  /// ```
  ///
  /// See "Many machines" in the documentation. Workers have to be ``Worker`` types: another process has no name to find a closure by.
  ///
  /// - Parameters:
  ///   - engine: The queue.
  ///   - launch: How agents come to run.
  ///   - width: How many chunks may be out at once, in the queue and with agents. Default: twice as many as the agents that are launched
  ///     run at once; 16, if others start them.
  ///   - lease: How long a chunk may be with an agent that is not heard of, before another gets it; from a tenth of a second on.
  ///   - patience: How long a map waits for a queue that does not answer, and for agents while there is none. Those that others start
  ///     (``ClusterLaunch/external``) are waited for as long as it takes.
  public static func cluster(
    engine: ClusterEngine, launch: ClusterLaunch, width: Int? = nil, lease: Duration = .seconds(30),
    patience: Duration = .seconds(30)
  ) -> WorkerPool.Backend {
    var backend = ClusterBackend(text: "cluster(engine: \(engine), launch: \(launch))") { _ in
      try engine.parts(launch, lease: lease, patience: patience)
    }
    backend.options.patience = patience
    backend.options.hasName = engine.job != nil
    return WorkerPool.Backend(backend, width: width ?? launch.width, isGiven: width != nil)
  }
}

extension ClusterLaunch {
  /// How many chunks all agents run at once, and as many that wait for them.
  fileprivate var width: Int {
    // What is out of bounds is refused by its own name when the pool is made.
    func bounded(_ number: Int) -> Int { min(max(1, number), 4_096) }
    let running =
      switch kind {
      case .external: 8
      case .local(let agents): bounded(agents) * bounded(slots)
      case .ssh(let hosts, _): max(1, hosts.reduce(0) { $0 + bounded($1.slots) })
      case .slurm(let job, _): bounded(job.agents) * bounded(job.slots)
      case .command: bounded(slots)
      }
    return min(2 * running, WorkerPool.Backend.maximumWidth)
  }
}

extension ClusterLaunch: CustomStringConvertible {
  /// As it would be written.
  public var description: String {
    switch kind {
    case .external: ".external"
    case .local(let agents): ".local(agents: \(agents), slots: \(slots))"
    case .ssh(let hosts, let program):
      ".ssh(\(program == .copied ? "copyingTo: " : "")[\(hosts.map { "(\"\($0.host)\", \($0.slots))" }.joined(separator: ", "))])"
    case .slurm(let job, _): ".slurm(agents: \(job.agents), slots: \(job.slots))"
    case .command(let words): ".command([\"\(words.first ?? "")\", …])"
    }
  }

  fileprivate func validate() throws {
    try Self.check("slots", slots)
    switch kind {
    case .external: break
    case .local(let agents): try Self.check("agents", agents)
    case .ssh(let hosts, _):
      try Self.check("hosts", hosts.count)
      for (host, slots) in hosts {
        try Self.check("slots of \(host)", slots)
        // It would be an option of ssh's.
        guard !host.isEmpty, host.first != "-" else {
          throw InvalidOption(name: "host", value: host, allowed: "a name")
        }
      }
    case .slurm(let job, _):
      try Self.check("agents", job.agents)
      for option in job.options where option.first != "-" || option.contains(where: \.isNewline) {
        throw InvalidOption(name: "options", value: option, allowed: "options of sbatch, a word each, as --time=60")
      }
    case .command(let words):
      guard !words.isEmpty else { throw InvalidOption(name: "command", value: "[]", allowed: "at least a program") }
    }
  }

  /// Whether others start them, on machines that cannot come to a server of this program's own.
  private var isElsewhere: Bool {
    switch kind {
    case .external, .slurm: true
    case .local, .ssh, .command: false
    }
  }

  /// A server of this program's own is on a port of this machine that no other can come to, and nobody knows its password.
  fileprivate func validateManaged() throws {
    guard isElsewhere else { return }
    throw InvalidOption(
      name: "engine", value: ".managed",
      allowed: ".redis(\"redis://…\") with \(self): only agents that this program starts find a server of its own")
  }

  /// What launches them.
  ///
  /// - Parameter server: where the queue is, if it is this program's own.
  fileprivate func launcher(_ settings: AgentSettings, _ server: RedisAddress?) throws -> any AgentLauncher {
    var settings = settings
    settings.slots = slots
    switch kind {
    case .external: return ExternalLauncher()
    case .local(let agents):
      // The very file that is running; the child's own.
      let arguments = ["/proc/self/exe"] + CommandLine.arguments.dropFirst()
      return ProcessLauncher(
        (0..<agents).map { ProcessLauncher.Place(name: "local \($0)", arguments: arguments, settings: settings) })
    case .ssh(let hosts, let program):
      let launcher = ProcessLauncher(
        hosts.map { host, slots in
          settings.slots = slots
          var place = ProcessLauncher.Place(
            name: host, arguments: SSHProgram.command(host, program.line), settings: settings)
          guard let server else { return place }
          place.renewed = { place in
            var place = place
            let way = SSHProgram.Way(to: server.port)
            var address = server
            address.port = way.there
            place.arguments = SSHProgram.command(host, program.line, way)
            place.settings.url = address.url
            return place
          }
          return place
        })
      return program == .copied ? CopyingLauncher(launcher, to: hosts.map(\.host)) : launcher
    case .slurm(var job, let folder):
      job.name = "millrace-\(settings.job)"
      job.program = SSHProgram.ownPath
      // Tasks begin in a folder that options may have chosen.
      let place =
        if let folder, folder.hasPrefix("/") { folder } else {
          try Self.currentFolder() + (folder.map { "/\($0)" } ?? "")
        }
      // A program that was killed has left its own there, and another with the same job has its own.
      job.settingsFile = "\(place)/millrace-\(settings.job)-\(ClusterEngine.freshName()).agent"
      return SlurmLauncher(job, settings)
    case .command(let words):
      return ProcessLauncher([ProcessLauncher.Place(name: words[0], arguments: words, settings: settings)])
    }
  }

  private static func currentFolder() throws -> String {
    guard let name = getcwd(nil, 0) else { throw SystemError("getcwd", errno) }
    defer { free(name) }
    return String(cString: name)
  }
}

extension ClusterEngine {
  /// One that nobody else has.
  fileprivate static func freshName() -> String {
    var random = SystemRandomNumberGenerator()
    return String(UInt64.random(in: .min ... .max, using: &random), radix: 36)
  }

  /// The queue of one pool, and what launches its agents.
  fileprivate func parts(_ launch: ClusterLaunch, lease: Duration, patience: Duration) throws -> ClusterBackend.Parts {
    try launch.validate()
    guard lease >= .milliseconds(100), lease <= .seconds(86_400) else {
      throw InvalidOption(name: "lease", value: "\(lease)", allowed: "a tenth of a second to a day")
    }
    guard patience >= .zero, patience <= .seconds(86_400 * 366) else {
      throw InvalidOption(name: "patience", value: "\(patience)", allowed: "0 to a year")
    }
    let job = job ?? Self.freshName()
    try ClusterLaunch.check(job: job)
    let server: ManagedServer?
    let address: RedisAddress
    switch kind {
    case .managed:
      try launch.validateManaged()
      let managed = try ManagedServer()
      (server, address) = (managed, managed.address)
    case .redis(let url):
      do {
        var named = try RedisAddress(url)
        // Agents elsewhere do not have its files.
        named.tls = try named.tls.read()
        (server, address) = (nil, named)
      } catch {
        throw InvalidOption(name: "engine", value: "\(self)", allowed: error.allowed)
      }
    }
    var settings = AgentSettings(address, job: job)
    settings.leaseMilliseconds = Int(lease.nanoseconds / 1_000_000)
    let engine = RedisEngine(address, job: job, lease: lease, patience: patience) { server?.end }
    let launcher = try launch.launcher(settings, server?.address)
    return ClusterBackend.Parts(engine: engine, launcher: server.map { ServedLauncher(launcher, $0) } ?? launcher)
  }
}

/// Agents of a server of ours, which ends after them.
private struct ServedLauncher: AgentLauncher {
  private let launcher: any AgentLauncher
  private let server: ManagedServer

  init(_ launcher: any AgentLauncher, _ server: ManagedServer) { (self.launcher, self.server) = (launcher, server) }

  func launch(logger: Logger) async throws { try await launcher.launch(logger: logger) }
  func replace(logger: Logger) { launcher.replace(logger: logger) }
  func missAgents(logger: Logger) { launcher.missAgents(logger: logger) }
  var isOpenEnded: Bool { launcher.isOpenEnded }
  var isExhausted: Bool { launcher.isExhausted }
  var whyExhausted: String? { launcher.whyExhausted }
  func hasAll(_ count: Int) -> Bool { launcher.hasAll(count) }

  func end(_ alive: Set<String>) async {
    await launcher.end(alive)
    await server.end()
  }
}
#endif
