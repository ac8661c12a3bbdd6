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
    return WorkerPool.Backend(backend, width: width ?? launch.width, isGiven: width != nil)
  }
}

extension ClusterLaunch {
  /// How many chunks all agents run at once, and as many that wait for them.
  fileprivate var width: Int {
    switch kind {
    case .external: 16
    case .local(let agents): 2 * max(1, agents) * max(1, slots)
    case .ssh(let hosts, _): 2 * max(1, hosts.reduce(0) { $0 + max(1, $1.slots) })
    case .command: 2 * max(1, slots)
    }
  }
}

extension ClusterLaunch: CustomStringConvertible {
  /// As it would be written.
  public var description: String {
    switch kind {
    case .external: ".external"
    case .local(let agents): ".local(agents: \(agents), slots: \(slots))"
    case .ssh(let hosts, _): ".ssh([\(hosts.map { "(\"\($0.host)\", \($0.slots))" }.joined(separator: ", "))])"
    case .command(let words): ".command([\"\(words.first ?? "")\", …])"
    }
  }

  fileprivate func validate() throws {
    func check(_ name: String, _ number: Int) throws {
      guard (1...4_096).contains(number) else {
        throw InvalidOption(name: name, value: "\(number)", allowed: "1 to 4096")
      }
    }
    try check("slots", slots)
    switch kind {
    case .external: break
    case .local(let agents): try check("agents", agents)
    case .ssh(let hosts, _):
      try check("hosts", hosts.count)
      for (host, slots) in hosts {
        try check("slots of \(host)", slots)
        // It would be an option of ssh's.
        guard !host.isEmpty, host.first != "-" else {
          throw InvalidOption(name: "host", value: host, allowed: "a name")
        }
      }
    case .command(let words):
      guard !words.isEmpty else { throw InvalidOption(name: "command", value: "[]", allowed: "at least a program") }
    }
  }

  /// What launches them.
  fileprivate func launcher(_ settings: AgentSettings) -> any AgentLauncher {
    var settings = settings
    settings.slots = slots
    switch kind {
    case .external: return ExternalLauncher()
    case .local(let agents):
      // The very file that is running; the child's own.
      let arguments = ["/proc/self/exe"] + CommandLine.arguments.dropFirst()
      return ProcessLauncher(
        (0..<agents).map { ProcessLauncher.Place(name: "local \($0)", arguments: arguments, settings: settings) })
    case .ssh(let hosts, let path):
      let program = path ?? Self.ownPath
      return ProcessLauncher(
        hosts.map { host, slots in
          settings.slots = slots
          let line = "\(AgentSettings.variable)=stdin exec '\(program.replacing("'", with: "'\\''"))'"
          return ProcessLauncher.Place(
            name: host, arguments: ["ssh", "-T", "-o", "BatchMode=yes", host, line], settings: settings)
        })
    case .command(let words):
      return ProcessLauncher([ProcessLauncher.Place(name: words[0], arguments: words, settings: settings)])
    }
  }

  private static var ownPath: String {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
      count = max(0, buffer.withMemoryRebound(to: CChar.self) { readlink("/proc/self/exe", $0.baseAddress!, $0.count) })
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension ClusterEngine {
  /// The queue of one pool, and what launches its agents.
  fileprivate func parts(_ launch: ClusterLaunch, lease: Duration, patience: Duration) throws -> ClusterBackend.Parts {
    try launch.validate()
    guard lease >= .milliseconds(100), lease <= .seconds(86_400) else {
      throw InvalidOption(name: "lease", value: "\(lease)", allowed: "a tenth of a second to a day")
    }
    var random = SystemRandomNumberGenerator()
    let job = job ?? String(UInt64.random(in: .min ... .max, using: &random), radix: 36)
    guard !job.isEmpty, job.utf8.allSatisfy({ Self.isPlain($0) }) else {
      throw InvalidOption(name: "job", value: job, allowed: "letters, digits, '-', '_' and '.'")
    }
    let server: ManagedServer?
    let address: RedisAddress
    switch kind {
    case .managed:
      let managed = try ManagedServer()
      (server, address) = (managed, managed.address)
    case .redis(let url):
      do { (server, address) = (nil, try RedisAddress(url)) } catch {
        throw InvalidOption(name: "engine", value: "\(self)", allowed: error.allowed)
      }
      guard !address.isSecure else {
        throw InvalidOption(
          name: "engine", value: "\(self)", allowed: "redis://host:port, for rediss:// is not there yet")
      }
    }
    var settings = AgentSettings(url: address.url, job: job)
    settings.leaseMilliseconds = Int(lease.nanoseconds / 1_000_000)
    let engine = RedisEngine(address, job: job, lease: lease, patience: patience) { server?.end }
    let launcher = launch.launcher(settings)
    return ClusterBackend.Parts(engine: engine, launcher: server.map { ServedLauncher(launcher, $0) } ?? launcher)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}

/// Agents of a server of ours, which ends after them.
private struct ServedLauncher: AgentLauncher {
  private let launcher: any AgentLauncher
  private let server: ManagedServer

  init(_ launcher: any AgentLauncher, _ server: ManagedServer) { (self.launcher, self.server) = (launcher, server) }

  func launch(logger: Logger) async throws { try await launcher.launch(logger: logger) }
  func replace(logger: Logger) { launcher.replace(logger: logger) }
  var isOpenEnded: Bool { launcher.isOpenEnded }
  var isExhausted: Bool { launcher.isExhausted }
  func hasAll(_ count: Int) -> Bool { launcher.hasAll(count) }

  func end() async {
    await launcher.end()
    await server.end()
  }
}
#endif
