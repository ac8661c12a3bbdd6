#if CLI && Cluster
import Foundation
import MillraceCluster
import Testing

@testable import MillraceCLI

#if canImport(Glibc)
import Glibc
#endif

/// `millrace map --cluster`: agents are processes of this machine, which come to a server of the test's.
@Suite(
  .enabled(if: ManagedServer.isOnPath("redis-server"), "redis-server is not installed"), .serialized,
  .timeLimit(.minutes(1)))
struct ClusterMapTests {
  /// A server, and agents of one job.
  fileprivate final class Scene {
    let server: ManagedServer
    let folder: URL
    /// What agents and runs know of the queue.
    let settings: String
    fileprivate(set) var agents: [Tool.Running] = []

    init() throws {
      server = try ManagedServer()
      folder = try Tool.temporaryFolder()
      settings = folder.appendingPathComponent("settings").path
      try Data("url=\(server.address.url)\njob=jobs\nslots=2\n".utf8).write(to: URL(fileURLWithPath: settings))
      chmod(settings, 0o600)
    }

    func start(_ count: Int = 1, _ more: [String: String] = [:]) throws {
      for _ in 0..<count {
        let variables = ["MILLRACE_AGENT": "@\(settings)"].merging(more) { $1 }
        agents.append(try Tool.Running([Tool.path], environment: variables))
      }
    }

    func run(_ words: [String], input: String = "") throws -> Tool.Running {
      try Tool.Running([Tool.path, "map", "--cluster", "@\(settings)"] + words, input: Data(input.utf8))
    }

    /// Agents end with their job.
    func end() async throws {
      for agent in agents {
        let result = try agent.finished(within: 40)
        #expect(result.exitCode == 0, "\(result.error)")
      }
      agents = []
      await server.end()
      try? FileManager.default.removeItem(at: folder)
    }
  }

  private func withAgents(_ count: Int = 2, _ body: (Scene) async throws -> Void) async throws {
    let scene = try Scene()
    let result: Result<Void, any Error>
    do {
      try scene.start(count)
      result = .success(try await body(scene))
    } catch { result = .failure(error) }
    if case .failure = result { for agent in scene.agents { kill(agent.id, SIGTERM) } }
    try await scene.end()
    try result.get()
  }

  private static func uniqueSleep() -> String { "1000.\(Int.random(in: 100_000_000...999_999_999))" }

  /// Processes with this argument.
  private func running(_ argument: String) throws -> [pid_t] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { id in
      guard let number = pid_t(id), let line = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else {
        return nil
      }
      return line.split(separator: 0).contains(Data(argument.utf8)) ? number : nil
    }
  }

  private func eventually(_ condition: () throws -> Bool) async throws {
    while !(try condition()) { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test("outputs, their order, tags, exit codes and the log are those of a run here")
  func sameAsHere() async throws {
    try await withAgents { scene in
      let log = scene.folder.appendingPathComponent("log").path
      let words = [
        "-k", "--tag", "--joblog", log, "echo out {}; echo err {} >&2; exit {1}", ":::", "0", "3", "0", "7",
      ]
      let there = try scene.run(words).finished()
      let rows = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map {
        $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      }
      let here = try Tool.Running([Tool.path, "map"] + words).finished()
      #expect(there.text == here.text && there.text == "0\tout 0\n3\tout 3\n0\tout 0\n7\tout 7\n")
      #expect(there.error == here.error && there.exitCode == 2 && here.exitCode == 2)
      let host = try Tool.shell("hostname").text.trimmingCharacters(in: .newlines)
      let found = rows.dropFirst().sorted { $0[0] < $1[0] }.map { [$0[0], $0[1], $0[5], $0[6], $0[7], $0[8]] }
      #expect(
        found
          == [(1, 0), (2, 3), (3, 0), (4, 7)].map { number, code in
            ["\(number)", host, "6", "\(code)", "0", "echo out \(code); echo err \(code) >&2; exit \(code)"]
          })
    }
  }

  @Test("values of any bytes, and outputs of some MiB, travel as they are")
  func bytes() async throws {
    try await withAgents(1) { scene in
      let value = "a b'\"$\\\u{1F600}\n*"
      let run = try scene.run(["-k", "-0", "printf %s {1}; head -c {2} /dev/zero", ":::", value, ":::", "3000000", "1"])
      let result = try run.finished()
      #expect(result.exitCode == 0, "\(result.error)")
      let text = Data(value.utf8)
      #expect(result.output == text + Data(count: 3_000_000) + text + Data(count: 1))
    }
  }

  @Test("jobs run under agents, and know their number and slot")
  func places() async throws {
    try await withAgents { scene in
      // Each waits until all four run.
      let folder = scene.folder.path
      let all = (1...4).map { "-e \(folder)/at\($0)" }.joined(separator: " -a ")
      let job =
        "touch \(folder)/at{#}; until [ \(all) ]; do sleep 0.01; done; echo $PARALLEL_SEQ {#} $PARALLEL_JOBSLOT {%}"
      let result = try scene.run(["-k", job, ":::", "a", "b", "c", "d"]).finished()
      let lines = result.lines.map { $0.split(separator: " ").map(String.init) }
      #expect(lines.map { $0[0] } == ["1", "2", "3", "4"] && lines.allSatisfy { $0[0] == $0[1] && $0[2] == $0[3] })
      #expect(lines.map { $0[2] }.sorted() == ["1", "1", "2", "2"], "\(result.error)")
    }
  }

  @Test("a job that fails is tried again, one that runs too long is ended, and --halt ends the others where they are")
  func policies() async throws {
    try await withAgents { scene in
      let mark = scene.folder.appendingPathComponent("mark").path
      let sleep = Self.uniqueSleep()
      let result = try scene.run([
        "-j4", "--retries", "3", "--timeout", "20", "--halt", "now,fail=1",
        "case {} in 0) touch \(mark).0; sleep \(sleep) & sleep \(sleep);; 1) echo x >>\(mark); until [ -e \(mark).0 ]; do sleep 0.01; done; exit 5;; esac",
        ":::", "0", "1",
      ]).finished()
      #expect(result.exitCode == 5, "\(result.error)")
      #expect(try String(contentsOfFile: mark, encoding: .utf8) == "x\nx\nx\n")
      try await eventually { try running(sleep).isEmpty }
    }
    try await withAgents { scene in
      let sleep = Self.uniqueSleep()
      let result = try scene.run(["--timeout", "0.3", "echo {}; sleep \(sleep)", ":::", "a"]).finished()
      #expect(result.exitCode == 1 && result.text == "a\n" && result.error.contains("ran too long"), "\(result.error)")
      #expect(try running(sleep).isEmpty)
    }
  }

  @Test("a run that is ended ends its jobs on the agents, with all their processes", arguments: [SIGTERM, SIGINT])
  func signals(_ signal: Int32) async throws {
    try await withAgents { scene in
      let sleep = Self.uniqueSleep()
      let run = try scene.run(["setsid sleep \(sleep) & sleep \(sleep) # {}", ":::", "a", "b", "c"])
      try await eventually { try running(sleep).count == 6 }
      kill(run.id, signal)
      if signal == SIGINT {
        try await run.waitForMessage("once more")
        kill(run.id, signal)
      }
      #expect(try run.finished(within: 20).exitCode == 128 + signal)
      try await eventually { try running(sleep).isEmpty }
    }
  }

  @Test("an agent that is killed costs nothing but the time of its lease, and takes its jobs' processes with it")
  func killed() async throws {
    try await withAgents(0) { scene in
      try Data("lease=500\n".utf8).append(to: scene.settings)
      let sleep = Self.uniqueSleep()
      let mark = scene.folder.appendingPathComponent("mark").path
      let run = try scene.run(["mkdir \(mark) 2>/dev/null && sleep \(sleep); echo {}", ":::", "a"])
      while try await !scene.hasJob() { try await Task.sleep(for: .milliseconds(5)) }
      try scene.start()
      try await eventually { try !running(sleep).isEmpty }
      let first = scene.takeAgent()
      kill(first.id, SIGKILL)
      _ = try first.finished()
      try await eventually { try running(sleep).isEmpty }
      try scene.start()
      let result = try run.finished(within: 50)
      #expect(result.text == "a\n" && result.exitCode == 0, "\(result.error)")
    }
  }

  @Test("what makes no sense on a cluster is refused by name")
  func refusals() throws {
    let queue = "redis://127.0.0.1:1/0?job=none"
    for (words, name) in [
      (["--ungroup"], "--ungroup"), (["--line-buffer"], "--line-buffer"), (["--timeout", "200%"], "--timeout"),
      (["-j50%"], "--jobs '50%'"), (["-j+1"], "--jobs '+1'"), (["--hosts", "a:0"], "--hosts 'a:0'"),
      (["--hosts", "-oProxyCommand=x"], "--hosts"),
    ] {
      let result = try Tool.Running([Tool.path, "map", "--cluster", queue] + words + ["echo", ":::", "a"]).finished()
      #expect(result.exitCode == 64 && result.error.contains(name), "\(words): \(result.error)")
      #expect(result.text.isEmpty)
    }
    #expect(try Tool.map("--hosts", "a:1", "echo", ":::", "a").error.contains("--cluster says where"))
    for wrong in ["http://host", "redis://host/x?job=a", "redis://host?job=a b", "@/nowhere"] {
      let result = try Tool.map("--cluster", wrong, "echo", ":::", "a")
      #expect(result.exitCode != 0 && !result.error.isEmpty, "\(wrong)")
    }
    #expect(try ClusterPlace.hosts("a:4,b@c") == [.init(name: "a", slots: 4), .init(name: "b@c", slots: 1)])
  }

  @Test("a queue that refuses ends the run with the reason, and no password")
  func refused() async throws {
    let scene = try Scene()
    var address = scene.server.address
    address.password = "open sesame"
    let result = try Tool.Running(
      [Tool.path, "map", "--cluster", "\(address.url)?job=jobs", "echo", ":::", "a", "b"]
    ).finished(within: 50)
    #expect(result.exitCode == 255 && result.error.contains("user or password"), "\(result.error)")
    #expect(!result.error.contains("sesame") && result.text.isEmpty)
    try await scene.end()
  }
}

extension ClusterMapTests.Scene {
  /// Whether there is a driver: an agent with a short lease does not wait for one.
  fileprivate func hasJob() async throws -> Bool {
    let engine = RedisEngine(server.address, job: "jobs")
    let result: Result<Bool, any Error>
    do { result = .success(try await engine.manifest() != nil) } catch { result = .failure(error) }
    await engine.close()
    return try result.get()
  }

  fileprivate func takeAgent() -> Tool.Running { agents.removeLast() }
}

extension Data {
  fileprivate func append(to path: String) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: self)
    try file.close()
  }
}
#endif
