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
    @Test("the executable is brought to hosts, and agents run there until the pool ends")
    func copying() async throws {
      let lab = try await SSHLab()
      let path = getenv("PATH").map { String(cString: $0) } ?? ""
      setenv("PATH", "\(lab.folder):\(path)", 1)
      let server = try ManagedServer()
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url), launch: .ssh(copyingTo: [("one", 1), ("two", 2)]), lease: .seconds(5))
      let found: Result<[String], any Error>
      do {
        found = .success(try await withWorkerPool(backend) { try await $0.map(0..<40, with: Executable()) })
      } catch { found = .failure(error) }
      setenv("PATH", path, 1)
      await lab.end()
      await server.end()
      #expect(try Set(found.get()) == [lab.copy])
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
    server = try BoundProcess(["/usr/sbin/sshd", "-D", "-f", "\(folder)/sshd"], input: "") { [hasEnded] _ in
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
