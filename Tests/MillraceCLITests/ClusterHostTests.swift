#if CLI && Cluster
import Foundation
import MillraceCluster
import Testing

@testable import MillraceCLI

#if canImport(Glibc)
import Glibc
#endif

/// `millrace map --cluster … --hosts …`: agents that the command starts by `ssh`, over a real `sshd` on this machine.
@Suite(
  .enabled(
    if: ManagedServer.isOnPath("redis-server") && Hosts.isHere, "redis-server is not installed, or sshd cannot run here"
  ),
  .serialized, .timeLimit(.minutes(1)))
struct ClusterHostTests {
  private func withHosts(_ body: (Hosts) async throws -> Void) async throws {
    let hosts = try await Hosts()
    let result: Result<Void, any Error>
    do { result = .success(try await body(hosts)) } catch { result = .failure(error) }
    try await hosts.end()
    try result.get()
  }

  @Test("jobs run on all hosts, and nothing is left of the command there")
  func hosts() async throws {
    try await withHosts { hosts in
      // Each waits for another, and two at once are on both hosts.
      let job =
        "touch \(hosts.folder)/at{#}; until [ $(ls \(hosts.folder) | grep -c ^at) -ge 2 ]; do sleep 0.01; done; "
        + "echo {}; echo err {} >&2"
      let values = ["a b", "'", "$x", "\u{1F600}"]
      let result = try hosts.run(["--hosts", "one:1,me@two:2", "-k", job, ":::"] + values).finished(within: 50)
      #expect(result.exitCode == 0 && result.lines == values, "\(result.error)")
      #expect(Set(result.error.split(separator: "\n").map(String.init)).isSuperset(of: values.map { "err \($0)" }))
      #expect(!result.error.contains(hosts.server.address.password ?? "-"))
      #expect(try hosts.asked() == ["me@two", "one"])
      #expect(try hosts.left().isEmpty)
    }
  }

  @Test("a command that is ended ends its jobs on the hosts")
  func signal() async throws {
    try await withHosts { hosts in
      let job = "touch \(hosts.folder)/at{#}; setsid sleep 1000 & sleep 1000"
      let run = try hosts.run(["--hosts", "one:1,two:1", job, ":::", "a", "b"])
      for number in 1...2 {
        while access("\(hosts.folder)/at\(number)", F_OK) != 0 { try await Task.sleep(for: .milliseconds(5)) }
      }
      kill(run.id, SIGTERM)
      #expect(try run.finished(within: 30).exitCode == 128 + SIGTERM)
      #expect(try hosts.left().isEmpty)
    }
  }

  @Test("hosts that nobody can come to end the run, and are named")
  func unreachable() async throws {
    try await withHosts { hosts in
      hosts.endServer()
      let result = try hosts.run(["--hosts", "one:1,two:1", "echo", ":::", "a"]).finished(within: 50)
      #expect(result.exitCode == 255 && result.text.isEmpty)
      #expect(
        result.error.contains("none will come") && result.error.contains("exited with code 255"), "\(result.error)")
    }
  }
}

/// An `sshd` of the tests' own, an `ssh` that goes there whatever the host, and a queue.
private final class Hosts {
  /// As root it wants a folder that the system's own has where it was ever started.
  static let isHere =
    access("/usr/sbin/sshd", X_OK) == 0 && ManagedServer.isOnPath("ssh-keygen")
    && (geteuid() != 0 || access("/run/sshd", F_OK) == 0)

  let server: ManagedServer
  let folder: String
  private let daemon: Tool.Running
  private var hasEnded = false

  init() async throws {
    folder = try Tool.temporaryFolder().path
    let port = try ManagedServer.freePort()
    for name in ["host", "me"] { _ = try Tool.shell("ssh-keygen -q -t ed25519 -N '' -f '\(folder)/\(name)'") }
    let texts = [
      "sshd": """
      Port \(port)
      ListenAddress 127.0.0.1
      HostKey \(folder)/host
      AuthorizedKeysFile \(folder)/me.pub
      StrictModes no
      UsePAM no
      PidFile none
      SetEnv MILLRACE_TEST=\(folder)

      """,
      "config": """
      HostName 127.0.0.1
      Port \(port)
      User \(NSUserName())
      IdentityFile \(folder)/me
      UserKnownHostsFile /dev/null
      StrictHostKeyChecking no
      LogLevel ERROR

      """,
      // The host is the one before the last.
      "ssh": """
      #!/bin/bash
      echo "${@: -2:1}" >>'\(folder)/asked'
      set -- "${@:1:$#-2}" "$(echo "${@: -2:1}" | sed 's/.*@//')" "${@: -1}"
      exec /usr/bin/ssh -F '\(folder)/config' "$@"

      """,
    ]
    for (name, text) in texts {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
      chmod("\(folder)/\(name)", name == "ssh" ? 0o700 : 0o600)
    }
    server = try ManagedServer()
    // It ends, whatever becomes of the tests.
    daemon = try Tool.Running(["/usr/bin/timeout", "120", "/usr/sbin/sshd", "-D", "-f", "\(folder)/sshd"])
    while try Tool.shell("'\(folder)/ssh' one 'echo there' 2>/dev/null").text != "there\n" {
      try await Task.sleep(for: .milliseconds(50))
    }
    unlink("\(folder)/asked")
  }

  /// The password is in a variable, and nowhere else.
  func run(_ words: [String]) throws -> Tool.Running {
    var address = server.address
    address.password = nil
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return try Tool.Running(
      [Tool.path, "map", "--cluster", "\(address.url)?job=hosts"] + words,
      environment: ["PATH": "\(folder):\(path)", "REDISCLI_AUTH": server.address.password ?? ""])
  }

  /// Which hosts were asked for.
  func asked() throws -> [String] {
    try Set(String(contentsOfFile: "\(folder)/asked", encoding: .utf8).split(separator: "\n").map(String.init)).sorted()
  }

  /// Processes that `ssh` has started, and theirs.
  func left() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { id in
      guard Int(id) != nil, let text = FileManager.default.contents(atPath: "/proc/\(id)/environ") else { return false }
      return text.split(separator: 0).contains(Data("MILLRACE_TEST=\(folder)".utf8))
    }
  }

  func endServer() {
    if hasEnded { return }
    hasEnded = true
    kill(daemon.id, SIGTERM)
    _ = try? daemon.finished(within: 10)
  }

  func end() async throws {
    endServer()
    await server.end()
    try FileManager.default.removeItem(atPath: folder)
  }
}
#endif
