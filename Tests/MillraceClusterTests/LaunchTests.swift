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
    /// The program that the tests are.
    private static let program: String = {
      let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
        count = max(
          0, buffer.withMemoryRebound(to: CChar.self) { readlink("/proc/self/exe", $0.baseAddress!, $0.count) })
      }
      return String(decoding: bytes, as: UTF8.self)
    }()

    private func squares(_ backend: WorkerPool.Backend) async throws -> [Int] {
      try await withWorkerPool(backend) { try await $0.map(0..<20, with: Square()) }
    }

    private static let expected = (0..<20).map { $0 * $0 }

    @Test("a command starts an agent, which is told by its standard input what to do")
    func command() async throws {
      let found = try await squares(
        .cluster(
          engine: .managed, launch: .command(["/usr/bin/env", "A=b", Self.program], slots: 2), lease: .seconds(5)))
      #expect(found == Self.expected)
    }

    @Test("ssh starts an agent on each host, and has no password among its arguments")
    func ssh() async throws {
      // One that stays here, and writes down what it was asked.
      let folder = try temporaryFolder()
      defer { removeFolder(folder) }
      try writeFile(
        "\(folder)/ssh", "#!/bin/sh\necho \"$@\" >>'\(folder)/asked'\nexec /bin/sh -c \"$5\"\n", mode: 0o700)
      let path = getenv("PATH").map { String(cString: $0) } ?? ""
      setenv("PATH", "\(folder):\(path)", 1)
      defer { setenv("PATH", path, 1) }
      let server = try ManagedServer()
      let found = try await squares(
        .cluster(
          engine: .redis(server.address.url), launch: .ssh([("one", 1), ("two", 2)], path: Self.program),
          lease: .seconds(5)))
      #expect(found == Self.expected)
      let asked = try readFile("\(folder)/asked")
      #expect(asked.contains("BatchMode=yes one") && asked.contains("BatchMode=yes two"))
      #expect(!asked.contains(server.address.password ?? "-"))
      await server.end()
    }

    @Test("agents that others start, by a file with the settings, before and while a map runs")
    func external() async throws {
      let server = try ManagedServer()
      let folder = try temporaryFolder()
      defer { removeFolder(folder) }
      var settings = AgentSettings(url: server.address.url, job: "by-hand")
      settings.leaseMilliseconds = 5_000
      try writeFile("\(folder)/agent", settings.text, mode: 0o600)
      let ended = TaskBell()
      let agent = try TetheredProcess(
        [Self.program], adding: ["\(AgentSettings.variable)=@\(folder)/agent"], text: ""
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
      #expect(refusal(.cluster(engine: .redis("rediss://h"), launch: .external)) == "engine")
      #expect(refusal(.cluster(engine: .redis("redis://h", job: "a b"), launch: .external)) == "job")
      #expect(refusal(.cluster(engine: .managed, launch: .external, lease: .zero)) == "lease")
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
        ("http://h", "http://h", "scheme is redis,"), ("redis://h:99999", "redis://h:99999", "port is 1 to 65535"),
        ("", ".redis(\"\")", "a URL"), ("h:6379", "h:6379", "a URL"), ("rediss://h", "h", "rediss:// is not there yet"),
        ("redis://u:secret@h:0", "redis://…@h:0", "port"), ("redis://:secret", "redis://", "port"),
        ("redis://u:secret", "redis://u:…", "port"), ("redis://h/x", "redis://h/x", "database"),
      ] {
        let text = words(url)
        #expect(text.contains(shown) && text.contains("has to be") && text.contains(allowed), "\(text)")
        #expect(!text.contains("secret") && !text.contains("refuses"), "\(text)")
      }
      #expect(ClusterLaunch.agentCommand(url: "redis://h", job: "x", slots: 2).contains("redis://h?job=x&slots=2"))
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
        let command = "\(folder(of: Self.program))/millrace cluster status \(address.url)"
        let table = try output(of: command)
        #expect(table.contains("job lab: running; 1 chunks queued, 1 results waiting"), "\(table)")
        #expect(
          table.split(separator: "\n").last?.split(separator: " ").map(String.init) == [
            "somebody", "0", "1", "1", "1", "working",
          ], "\(table)")
        // U111: what agents read will do.
        let place = try temporaryFolder()
        defer { removeFolder(place) }
        try writeFile("\(place)/agent", AgentSettings(url: server.address.url, job: "lab").text, mode: 0o600)
        let byFile = "env -u REDISCLI_AUTH \(folder(of: Self.program))/millrace cluster status @\(place)/agent"
        #expect(try output(of: byFile).contains("job lab: running"))
        #expect(try output(of: byFile + "-not 2>&1").contains("agent-not"))
        let json = try output(of: command + " --job lab --json")
        #expect(json.contains(#""job":"lab","phase":"running","driver":true,"queued":1,"results":1"#), "\(json)")
        #expect(try output(of: command + " --job other 2>&1").contains("no job other"))
      }
    }
  }
}

private func folder(of file: String) -> Substring { file[..<(file.lastIndex(of: "/") ?? file.startIndex)] }

private func output(of command: String) throws -> String {
  guard let pipe = popen(command, "r") else { throw SystemError("popen", errno) }
  defer { pclose(pipe) }
  var bytes: [UInt8] = []
  while case let byte = fgetc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
  return String(decoding: bytes, as: UTF8.self)
}

private func temporaryFolder() throws -> String {
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  var name = Array("\(base)/cluster-XXXXXX".utf8CString)
  guard mkdtemp(&name) != nil else { throw SystemError("mkdtemp", errno) }
  return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}

private func removeFolder(_ folder: String) {
  for name in ["ssh", "asked", "agent"] { unlink("\(folder)/\(name)") }
  rmdir(folder)
}

private func writeFile(_ name: String, _ text: String, mode: mode_t) throws {
  let file = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, mode)
  guard file >= 0 else { throw SystemError("open \(name)", errno) }
  defer { close(file) }
  let bytes = Array(text.utf8)
  guard write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write \(name)", errno) }
}
#endif
