#if CLI && Cluster
import ArgumentParser
import Millrace
import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// `millrace cluster`: looks after the jobs of a queue.
struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Look after the jobs of a cluster.", subcommands: [Status.self])

  struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say how the jobs of a queue are, and who works for them.",
      discussion: """
        The server's password is read from $REDISCLI_AUTH, unless the address has it. An address that has it belongs into a file of mode \
        0600, the one that agents read: millrace cluster status @/path/to/file
        """)

    @Argument(help: "Where the queue is, as redis://host:6379; or @ and the name of a file with url=redis://… in it.")
    var url: String
    @Option(help: "Only the job of this name. Default: the one that the file names, or all.") var job: String?
    @Flag(help: "An object of JSON for each job.") var json = false

    func run() throws {
      let settings = try url.hasPrefix("@") ? AgentSettings.fields(inFile: String(url.dropFirst())) : nil
      let job = job ?? settings?["job"]
      var address = try RedisAddress(settings.map { $0["url"] ?? "" } ?? url)
      if address.password == nil { address.password = getenv("REDISCLI_AUTH").map { String(cString: $0) } }
      Task.detached { [address, job, json] in
        do {
          let lobby = RedisEngine(address, job: job ?? "", patience: .seconds(5))
          var names = try await lobby.jobs()
          await lobby.close()
          if let job { names = names.filter { $0 == job } }
          for name in names {
            let engine = RedisEngine(address, job: name, patience: .seconds(5))
            let status = try await engine.status()
            await engine.close()
            print(json ? status.json : status.table)
          }
          if let job, names.isEmpty { throw EngineError.refused("there is no job \(job)") }
          Glibc.exit(MillraceExit.success)
        } catch {
          let line = Array("millrace: \(error)\n".utf8)
          _ = write(STDERR_FILENO, line, line.count)
          Glibc.exit(MillraceExit.otherError)
        }
      }
      while true { pause() }
    }
  }
}
#endif
