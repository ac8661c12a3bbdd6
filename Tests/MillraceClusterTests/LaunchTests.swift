#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// The ways in which agents come to run.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct LaunchTests {
    private func squares(_ backend: WorkerPool.Backend) async throws -> [Int] {
      try await withWorkerPool(backend) { try await $0.map(0..<20, with: Square()) }
    }

    private static let expected = (0..<20).map { $0 * $0 }

    @Test("a command starts an agent, which is told by its standard input what to do")
    func command() async throws {
      let found = try await squares(
        .cluster(
          engine: .managed, launch: .command(["/usr/bin/env", "A=b", Files.program], slots: 2), lease: .seconds(5)))
      #expect(found == Self.expected)
    }

    @Test("ssh starts an agent on each host, and has no password among its arguments")
    func ssh() async throws {
      // One that stays here, and writes down what it was asked.
      let programs = try FakePrograms { ["ssh": "echo \"$@\" >>'\($0)/asked'\nexec /bin/sh -c \"$7\"\n"] }
      defer { programs.remove() }
      let folder = programs.folder
      let server = try ManagedServer()
      let found = try await squares(
        .cluster(
          engine: .redis(server.address.url), launch: .ssh([("one", 1), ("two", 2)], path: Files.program),
          lease: .seconds(5)))
      #expect(found == Self.expected)
      let asked = try readFile("\(folder)/asked")
      #expect(asked.contains("ConnectTimeout=10 one") && asked.contains("ConnectTimeout=10 two"))
      #expect(!asked.contains(server.address.password ?? "-"))
      await server.end()
    }

    @Test("U208: agents elsewhere come to a server of one's own through the line that starts them")
    func sshToManaged() async throws {
      // One that stays here, and has no line: what it is asked to take there it finds here.
      let programs = try FakePrograms { folder in
        [
          "ssh": """
          echo "$@" >>'\(folder)/asked'
          there=$(echo "$9" | cut -d : -f 2)
          here=$(echo "$9" | cut -d : -f 4)
          sed -u "s/127.0.0.1:$there/127.0.0.1:$here/" | /bin/sh -c "${11}"

          """
        ]
      }
      defer { programs.remove() }
      let folder = programs.folder
      let found = try await squares(
        .cluster(
          engine: .managed, launch: .ssh([("one", 1), ("two", 2)], path: Files.program), lease: .seconds(5),
          patience: .seconds(10)))
      #expect(found == Self.expected)
      let asked = try readFile("\(folder)/asked").split(separator: "\n")
      #expect(asked.count == 2)
      for line in asked {
        #expect(line.contains("-o ExitOnForwardFailure=yes -R 127.0.0.1:"), "\(line)")
      }
    }

    @Test("agents that others start, by a file with the settings, before and while a map runs")
    func external() async throws {
      let server = try ManagedServer()
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      var settings = AgentSettings(url: server.address.url, job: "by-hand")
      settings.leaseMilliseconds = 5_000
      try Files.write("\(folder)/agent", settings.text, mode: 0o600)
      let ended = TaskBell()
      let agent = try TetheredProcess(
        [Files.program], adding: ["\(AgentSettings.variable)=@\(folder)/agent"], text: ""
      ) { _ in ended.ring() }
      let found = try await squares(
        .cluster(
          engine: .redis(server.address.url, job: "by-hand"), launch: .external, width: 4, lease: .seconds(5)))
      #expect(found == Self.expected)
      // It ends with the job.
      await ended.waitForRing()
      agent.letGo()
      await server.end()
    }

    @Test("wrong options are refused by name")
    func options() throws {
      func refusal(_ backend: WorkerPool.Backend) -> String? {
        do {
          _ = try WorkerPool(backend)
          return nil
        } catch let error as InvalidOption { return error.name } catch { return "\(error)" }
      }
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: 0))) == "agents")
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: 1, slots: 0))) == "slots")
      #expect(refusal(.cluster(engine: .managed, launch: .ssh([("-oProxyCommand=x", 1)]))) == "host")
      #expect(refusal(.cluster(engine: .managed, launch: .command([]))) == "command")
      #expect(refusal(.cluster(engine: .redis("http://h"), launch: .external)) == "engine")
      #expect(refusal(.cluster(engine: .redis("rediss://h?ca=/no/such/file"), launch: .external)) == "engine")
      #expect(refusal(.cluster(engine: .redis("redis://h", job: "a b"), launch: .external)) == "job")
      #expect(refusal(.cluster(engine: .managed, launch: .external, lease: .zero)) == "lease")
      // U208: nobody else finds it.
      #expect(refusal(.cluster(engine: .managed, launch: .external)) == "engine")
      #expect(refusal(.cluster(engine: .managed, launch: .slurm(agents: 2))) == "engine")
      // U210: whatever the numbers, they are refused by their names.
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: .max))) == "agents")
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: 2, slots: .max))) == "slots")
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: .max, slots: .max))) == "slots")
      #expect(refusal(.cluster(engine: .managed, launch: .ssh([("a", .max), ("b", .max)]))) == "slots of a")
      #expect(refusal(.cluster(engine: .redis("redis://h"), launch: .slurm(agents: .max))) == "agents")
      #expect(refusal(.cluster(engine: .managed, launch: .command(["x"], slots: .max))) == "slots")
      #expect(refusal(.cluster(engine: .managed, launch: .local(agents: .min, slots: .min))) == "slots")
      #expect(
        "\(WorkerPool.Backend.cluster(engine: .redis("redis://:secret@h"), launch: .external))".contains("redis://h"))
      // U108: what is wrong, with its value, and never a password.
      func words(_ url: String) -> String {
        do {
          _ = try WorkerPool(.cluster(engine: .redis(url), launch: .external))
          return ""
        } catch { return "\(error)" }
      }
      for (url, shown, allowed) in [
        ("http://h", "http://h", "scheme is redis, or rediss"),
        ("redis://h:99999", "redis://h:99999", "port is 1 to 65535"),
        ("", ".redis(\"\")", "a URL"), ("h:6379", "h:6379", "a URL"),
        ("rediss://h?ca=/no/such/file", "h", "can be read"),
        ("rediss://:secret@h?ca=/etc/passwd", "h", "a file of PEM"),
        ("rediss://h?verify=perhaps", "h", "verify=full or"),
        ("rediss://h?cert=/x", "h", "both of cert= and key="), ("redis://h?ca=/x", "h", "scheme is rediss"),
        ("redis://h?job=x", "h", "without job="), ("redis://:secret@h?slots=2", "h", "without slots="),
        ("redis://h?jib=x", "h", "one with ca=, cert=, key=, verify= behind"),
        ("redis://u:secret@h:0", "redis://…@h:0", "port"), ("redis://:secret", "redis://", "port"),
        ("redis://u:secret", "redis://u:…", "port"), ("redis://h/x", "redis://h/x", "database"),
      ] {
        let text = words(url)
        #expect(text.contains(shown) && text.contains("has to be") && text.contains(allowed), "\(text)")
        #expect(!text.contains("secret") && !text.contains("refuses"), "\(text)")
      }
      let plain = try ClusterLaunch.agentCommand(url: "redis://h", job: "x", slots: 2)
      #expect(plain.contains("'redis://h?job=x&slots=2'"))
      let secure = try ClusterLaunch.agentCommand(url: "rediss://h?ca=/etc", job: "x")
      #expect(secure.contains("'rediss://h?ca=/etc&job=x&slots=1'"))
    }

    @Test("millrace cluster status: who works for which job")
    func status() async throws {
      try await withLab(.redis) { lab in
        guard let server = lab.server else { return }
        let driver = try await lab.driver()
        let agent = try await lab.agent("somebody")
        try await driver.submit(work(1, 2, 3))
        _ = try await agent.lease(upTo: 2, for: "somebody", within: .seconds(1))
        _ = try await agent.complete(1, [], by: "somebody")
        var address = server.address
        address.password = nil
        setenv("REDISCLI_AUTH", server.address.password ?? "", 1)
        defer { unsetenv("REDISCLI_AUTH") }
        let command = "\(Files.built)/millrace cluster status \(address.url)"
        let table = try Files.output(of: command)
        #expect(table.contains("job lab: running; 1 chunks queued, 1 results waiting"), "\(table)")
        #expect(
          table.split(separator: "\n").last?.split(separator: " ").map(String.init) == [
            "somebody", "0", "1", "1", "1", "0", "working",
          ], "\(table)")
        // U111: what agents read will do.
        let place = try Files.folder()
        defer { Files.remove(place) }
        try Files.write("\(place)/agent", AgentSettings(url: server.address.url, job: "lab").text, mode: 0o600)
        let byFile = "env -u REDISCLI_AUTH \(Files.built)/millrace cluster status @\(place)/agent"
        #expect(try Files.output(of: byFile).contains("job lab: running"))
        #expect(try Files.output(of: byFile + "-not 2>&1").contains("agent-not"))
        let json = try Files.output(of: command + " --job lab --json")
        #expect(json.contains(#""job":"lab","phase":"running","driver":true,"queued":1,"results":1"#), "\(json)")
        #expect(try Files.output(of: command + " --job other 2>&1").contains("no job other"))
      }
    }

    @Test("U345: millrace cluster status of a queue without jobs says so, and not where the answer goes")
    func noJobs() async throws {
      let server = try ManagedServer()
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      try Files.write("\(folder)/queue", "url=\(server.address.url)\n", mode: 0o600)
      for option in ["", "--json"] {
        let command = "\(Files.built)/millrace cluster status @\(folder)/queue \(option)"
        #expect(try Files.output(of: command + " 2>'\(folder)/said'; echo $?") == "0\n")
        #expect(try readFile("\(folder)/said") == "millrace: the queue \(server.address) has no jobs\n")
      }
      // U342: it warns as agents do.
      chmod("\(folder)/queue", 0o644)
      let warned = try Files.output(of: "\(Files.built)/millrace cluster status @\(folder)/queue 2>&1")
      #expect(warned.contains("millrace: others may read \(folder)/queue (mode 0644)"), "\(warned)")
      await server.end()
    }

    @Test("U342: a file with a password that others may read is warned of, and one that they may write is refused")
    func modes() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      func file(_ mode: mode_t, _ text: String) throws -> String {
        let name = "\(folder)/\(String(mode, radix: 8))\(text.utf8.count)"
        try Files.write(name, text, mode: 0o600)
        chmod(name, mode)
        return name
      }
      let (secret, open) = ("url=redis://:p@h\njob=night\n", "url=redis://h\njob=night\n")
      for mode in [0o600, 0o400, 0o700] as [mode_t] {
        #expect(try SettingsFile(named: file(mode, secret)).warning == nil)
      }
      for mode in [0o644, 0o640, 0o604] as [mode_t] {
        let found = try SettingsFile(named: file(mode, secret))
        let warning = try #require(found.warning)
        #expect(warning.contains("mode 0\(String(mode, radix: 8))") && warning.contains("chmod 600"), "\(warning)")
        #expect(warning.contains(folder) && !warning.contains(":p@") && found.fields["job"] == "night")
        #expect(try SettingsFile(named: file(mode, open)).warning == nil)
      }
      for mode in [0o666, 0o660, 0o620, 0o602] as [mode_t] {
        for text in [secret, open] {
          let error = #expect(throws: EngineError.self) { try SettingsFile(named: file(mode, text)) }
          #expect(error?.description.contains("others may write the settings in \(folder)") == true)
        }
      }
      // As an agent says it.
      let warned = try file(0o644, "url=redis://:p@127.0.0.1:1\njob=night\nlease=100\n")
      let agent = try Files.output(of: "MILLRACE_AGENT='@\(warned)' '\(Files.program)' 2>&1; echo $?")
      #expect(
        agent.contains("warning") && agent.contains("others may read \(warned)") && agent.hasSuffix("70\n"), "\(agent)")
      let refused = try Files.output(of: "MILLRACE_AGENT='@\(file(0o666, secret))' '\(Files.program)' 2>&1; echo $?")
      #expect(refused.contains("others may write") && refused.hasSuffix("78\n"), "\(refused)")
    }
  }
}
#endif
