#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Agents over a real `sshd`, on this machine.
extension Checked {
  @Suite(
    .enabled(if: QueueKind.hasServer && SSHLab.isHere, "redis-server is not installed, or sshd cannot run here"),
    .serialized)
  struct SSHTests {
    /// Which executables run items on these agents.
    private func executables(_ lab: SSHLab, _ engine: ClusterEngine, _ launch: ClusterLaunch) async throws -> Set<
      String
    > {
      let path = getenv("PATH").map { String(cString: $0) } ?? ""
      setenv("PATH", "\(lab.folder):\(path)", 1)
      defer { setenv("PATH", path, 1) }
      let backend = WorkerPool.Backend.cluster(engine: engine, launch: launch, lease: .seconds(5))
      return Set(try await withWorkerPool(backend) { try await $0.map(0..<40, with: Executable()) })
    }

    @Test("the executable is brought to hosts, and agents run there until the pool ends")
    func copying() async throws {
      let lab = try await SSHLab()
      let server = try ManagedServer()
      let found: Result<Set<String>, any Error>
      do {
        found = .success(
          try await executables(lab, .redis(server.address.url), .ssh(copyingTo: [("one", 1), ("two", 2)])))
      } catch { found = .failure(error) }
      await lab.end()
      await server.end()
      #expect(try found.get() == [lab.copy])
    }

    @Test("U208: agents on hosts come to a server of one's own through the line")
    func managed() async throws {
      let lab = try await SSHLab()
      let found: Result<Set<String>, any Error>
      do {
        // The same host twice: each has a port of its own there.
        found = .success(try await executables(lab, .managed, .ssh([("one", 1), ("one", 2)], path: Files.program)))
      } catch { found = .failure(error) }
      await lab.end()
      #expect(try found.get() == [Files.program])
    }
  }
}

/// An `sshd` of the tests' own, and an `ssh` that goes there whatever the host.
final class SSHLab: Sendable {
  /// As root it wants a folder that the system's own has where it was ever started.
  static let isHere =
    access("/usr/sbin/sshd", X_OK) == 0 && ManagedServer.isOnPath("ssh-keygen")
    && (geteuid() != 0 || access("/run/sshd", F_OK) == 0)

  let folder: String
  private let server: BoundProcess
  private let hasEnded = TaskBell()

  /// The executable, where it is brought.
  var copy: String { "\(folder)/millrace/\(BuildFingerprint.current)" }

  init() async throws {
    folder = try Files.folder()
    let port = try ManagedServer.freePort()
    for name in ["host", "me"] { _ = try Files.output(of: "ssh-keygen -q -t ed25519 -N '' -f '\(folder)/\(name)'") }
    try Files.write(
      "\(folder)/sshd",
      """
      Port \(port)
      ListenAddress 127.0.0.1
      HostKey \(folder)/host
      AuthorizedKeysFile \(folder)/me.pub
      StrictModes no
      UsePAM no
      PidFile none
      SetEnv XDG_CACHE_HOME=\(folder)

      """, mode: 0o600)
    try Files.write(
      "\(folder)/config",
      """
      HostName 127.0.0.1
      Port \(port)
      IdentityFile \(folder)/me
      UserKnownHostsFile /dev/null
      StrictHostKeyChecking no
      LogLevel ERROR

      """, mode: 0o600)
    try Files.write("\(folder)/ssh", "#!/bin/sh\nexec /usr/bin/ssh -F '\(folder)/config' \"$@\"\n", mode: 0o700)
    server = try BoundProcess(["/usr/sbin/sshd", "-D", "-f", "\(folder)/sshd"], input: "") { [hasEnded] _, _ in
      hasEnded.ring()
    }
    while try Files.output(of: "'\(folder)/ssh' one echo there 2>/dev/null") != "there\n" {
      try await Task.sleep(for: .milliseconds(50))
    }
  }

  func end() async {
    server.kill()
    await hasEnded.waitForRing()
    Files.remove("\(folder)/millrace")
    Files.remove(folder)
  }
}
#endif
