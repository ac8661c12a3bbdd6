#if CLI && Cluster
import ArgumentParser
import Millrace
import MillraceIPC
import MillraceCluster

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `millrace cluster`: looks after the jobs of a queue.
struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Look after the jobs of a cluster.",
    subcommands: [Status.self, Drain.self, Clean.self])

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say how the jobs of a queue are, and who works for them.", discussion: Queue.discussion)

    @OptionGroup var queue: Queue
    @Option(help: "Only the job of this name. Default: the one that the file names, or all.") var job: String?
    @Flag(help: "An object of JSON for each job, a line each; none, if there is no job.") var json = false

    func run() throws {
      try queue.run(job: job) { [json] queue, job in
        var names = try await queue.jobs()
        if let job { names = names.filter { $0 == job } }
        for name in names {
          let status = try await queue.with(name) { try await $0.status() }
          print(json ? status.json : status.table)
        }
        guard names.isEmpty else { return }
        if let job { throw EngineError.misused("there is no job \(job)") }
        ClusterCommand.say("the queue \(queue.address) has no jobs")
      }
    }
  }

  struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tell agents to finish what they have, and to end.",
      discussion: """
        Those that are there now: who joins later gets work, as always. Agents that the job's own program has launched are not launched \
        again. \(Queue.discussion)
        """)

    @OptionGroup var queue: Queue
    @Option(help: "The job's name. Default: the one that the file names.") var job: String?
    @Option(
      help: "Only the agent of this name, as the status has it, or those of this host; several times. Default: all.")
    var agent: [String] = []
    @Flag(help: "Return when they have ended.") var wait = false

    func run() throws {
      try queue.run(job: job) { [agent, wait] queue, job in
        guard let job else { throw EngineError.misused("whose agents? --job names the job") }
        let names = try await queue.with(job) { engine in
          let all = try await engine.members().filter(\.isAlive)
          let wanted = all.filter { agent.isEmpty || agent.contains($0.name) || agent.contains($0.host) }
          let names = try await engine.drain(wanted.map(\.name))
          while wait, try await engine.members().contains(where: { $0.isAlive && names.contains($0.name) }) {
            try await Task.sleep(for: .milliseconds(200))
          }
          return names
        }
        guard !names.isEmpty else {
          throw EngineError.misused(agent.isEmpty ? "there is no agent of job \(job)" : "job \(job) has no such agent")
        }
        print("job \(job): \(names.joined(separator: ", ")) \(wait ? "ended" : "told to end")")
      }
    }
  }

  struct Clean: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove what is left of jobs that have no driver any more.",
      discussion: "What a program left behind that was killed is gone after ten minutes by itself. \(Queue.discussion)")

    @OptionGroup var queue: Queue
    @Option(
      help: """
        Only the job of this name, and also what it has noted of a run that could go on. Default: the job that the file names, or all \
        that have no such notes.
        """) var job: String?

    func run() throws {
      try queue.run(job: job) { queue, job in
        var names: [String] = []
        if let job { names = [job] } else { names = try await queue.jobs() }
        for name in names {
          try await queue.with(name) { engine in
            do {
              if job == nil, try await engine.hasRun() { return print("job \(name): may go on, left alone") }
              let count = try await engine.clean()
              if count == 0 { throw EngineError.misused("there is no job \(name)") }
              print("job \(name): \(count) keys removed")
            } catch EngineError.live(_) where job == nil {
              print("job \(name): its driver is there, left alone")
            }
          }
        }
      }
    }
  }
}

extension ClusterCommand {
  /// What is not the answer goes to standard error.
  fileprivate static func say(_ text: String) {
    let line = Array("millrace: \(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
  }

  /// Where the queue is, and a connection to it.
  struct Queue: ParsableArguments {
    static let discussion = """
      The server's password is read from $REDISCLI_AUTH, unless the address has it. An address that has it belongs into a file of mode \
      0600, the one that agents read: millrace cluster status @/path/to/file
      """

    @Argument(
      help: """
        Where the queue is, as redis://host:6379, or, with TLS, 'rediss://host:6379/0?ca=/path/to/ca.pem'; or @ and the name of a file \
        with url=… in it.
        """) var url: String

    /// Runs the body on the queue, with the job that is named here or in the file; then ends.
    func run(job: String?, _ body: @escaping @Sendable (Lobby, String?) async throws -> Void) throws -> Never {
      let file = try url.hasPrefix("@") ? SettingsFile(named: String(url.dropFirst())) : nil
      if let warning = file?.warning { ClusterCommand.say(warning) }
      let fields = file?.fields
      let job = job ?? fields?["job"]
      if let job, !AgentSettings.isName(job) { throw ValidationError("\(job) cannot be the name of a job") }
      var address: RedisAddress
      if let fields { address = try AgentSettings.address(fields) } else { address = try RedisAddress(url) }
      if address.password?.isEmpty ?? true { address.password = getenv("REDISCLI_AUTH").map { String(cString: $0) } }
      Task.detached { [address] in
        do {
          try await body(Lobby(address: address), job)
          LibC.exit(MillraceExit.success)
        } catch {
          ClusterCommand.say("\(error)")
          LibC.exit(MillraceExit.otherError)
        }
      }
      while true { pause() }
    }
  }

  /// A queue, whatever its jobs.
  struct Lobby: Sendable {
    let address: RedisAddress

    func with<R: Sendable>(_ job: String, _ body: @Sendable (RedisEngine) async throws -> R) async throws -> R {
      let engine = RedisEngine(address, job: job, patience: .seconds(5))
      let result: Result<R, any Error>
      do { result = .success(try await body(engine)) } catch { result = .failure(error) }
      await engine.close()
      return try result.get()
    }

    func jobs() async throws -> [String] { try await with("") { try await $0.jobs() } }
  }
}
#endif
