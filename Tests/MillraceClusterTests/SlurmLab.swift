#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// A Slurm of the tests' own, with two nodes: its daemons and all that they start are in a namespace of processes, which ends with the lab, and each
/// node has a name of its own.
final class SlurmLab: Sendable {
  /// Slurm's daemons are root's, and have other host names here than the machine.
  static let isHere =
    ["slurmctld", "slurmd", "munged"].allSatisfy { access("/usr/sbin/\($0)", X_OK) == 0 }
    && ManagedServer.isOnPath("sbatch") && geteuid() == 0
    && (try? Files.output(of: "unshare --uts --pid --fork --kill-child --mount-proc echo there 2>/dev/null"))
      == "there\n"

  let folder: String
  private let daemons: BoundProcess
  private let hasEnded = TaskBell()

  init() async throws {
    folder = try Files.folder()
    let ports = try (0..<3).map { _ in try ManagedServer.freePort() }
    try Files.write("\(folder)/key", String(repeating: "a key of the tests' own ", count: 8), mode: 0o600)
    try Files.write(
      "\(folder)/slurm.conf",
      """
      ClusterName=lab
      SlurmctldHost=lab(127.0.0.1)
      SlurmctldPort=\(ports[0])
      SlurmUser=root
      SlurmdUser=root
      AuthType=auth/munge
      AuthInfo=socket=\(folder)/munge
      CredType=cred/munge
      SlurmctldPidFile=\(folder)/slurmctld.pid
      SlurmdPidFile=\(folder)/%n.pid
      StateSaveLocation=\(folder)/state
      SlurmdSpoolDir=\(folder)/%n
      MailProg=/bin/true
      MpiDefault=none
      SwitchType=switch/none
      ProctrackType=proctrack/linuxproc
      TaskPlugin=task/none
      SelectType=select/cons_tres
      SelectTypeParameters=CR_CPU
      JobAcctGatherType=jobacct_gather/none
      AccountingStorageType=accounting_storage/none
      SchedulerParameters=sched_min_interval=0,batch_sched_delay=0
      ReturnToService=2
      KillWait=5
      SlurmdParameters=config_overrides
      NodeName=one NodeHostname=one NodeAddr=127.0.0.1 Port=\(ports[1]) CPUs=2
      NodeName=two NodeHostname=two NodeAddr=127.0.0.1 Port=\(ports[2]) CPUs=2
      PartitionName=lab Nodes=one,two Default=YES State=UP

      """, mode: 0o600)
    // The first of its namespace: when it goes, all go.
    try Files.write(
      "\(folder)/daemons",
      """
      #!/bin/sh
      cd '\(folder)' && hostname lab && mkdir state one two || exit
      munged -F -f --origin=127.0.0.1 --socket='\(folder)/munge' --key-file='\(folder)/key' \\
        --pid-file='\(folder)/munged.pid' --seed-file='\(folder)/seed' >munged.log 2>&1 &
      until [ -S munge ]; do sleep 0.02; done
      slurmctld -D -c -f '\(folder)/slurm.conf' >slurmctld.log 2>&1 &
      for node in one two; do
        unshare --uts sh -c "hostname $node && exec slurmd -D -N $node -f '\(folder)/slurm.conf'" >$node.log 2>&1 &
      done
      wait

      """, mode: 0o700)
    daemons = try BoundProcess(
      ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", "\(folder)/daemons"], input: ""
    ) { [hasEnded] _, _ in hasEnded.ring() }
    do {
      while try output(of: "sinfo --noheader --format='%t %D' 2>/dev/null") != "idle 2\n" {
        try await Task.sleep(for: .milliseconds(50))
      }
    } catch {
      try await end()
      throw error
    }
  }

  /// What a command of the shell writes that finds this Slurm.
  func output(of command: String) throws -> String {
    try Files.output(of: "SLURM_CONF='\(folder)/slurm.conf' \(command)")
  }

  /// The array of the one job that there is.
  func job() throws -> String {
    let number = try output(of: "squeue --noheader --format=%F | sort -u").filter { !$0.isWhitespace }
    return try #require(number.isEmpty ? nil : number)
  }

  /// Waits until Slurm has nothing to do.
  func waitUntilEmpty() async throws {
    while try !output(of: "squeue --noheader").isEmpty { try await Task.sleep(for: .milliseconds(20)) }
  }

  /// The agents that run, by what they were told.
  func agents() throws -> String {
    try Files.output(of: "grep -l 'MILLRACE_AGENT=@\(folder)' /proc/[0-9]*/environ 2>/dev/null")
  }

  /// How this process starts programs meanwhile.
  func asSlurm<Value>(_ body: () async throws -> Value) async rethrows -> Value {
    let path = getenv("PATH").map { String(cString: $0) } ?? ""
    setenv("SLURM_CONF", "\(folder)/slurm.conf", 1)
    // A program of a test's own comes before Slurm's.
    setenv("PATH", "\(folder)/programs:\(path)", 1)
    defer {
      unsetenv("SLURM_CONF")
      setenv("PATH", path, 1)
    }
    return try await body()
  }

  /// The first process of the namespace is gone when all others are.
  func end() async throws {
    let first = try Files.output(of: "pgrep -f '^/bin/sh \(folder)/daemons'").split(whereSeparator: \.isNewline)
    daemons.kill()
    await hasEnded.waitForRing()
    for process in first {
      while let text = try? readFile("/proc/\(process)/stat"), !text.isEmpty, !text.contains(") Z ") {
        try await Task.sleep(for: .milliseconds(5))
      }
    }
    // It has folders of Slurm's in it.
    _ = try Files.output(of: "rm -rf '\(folder)'")
  }
}

/// Runs the body with a Slurm and a queue that are gone afterwards.
func withSlurm(_ body: (SlurmLab, ManagedServer) async throws -> Void) async throws {
  let lab = try await SlurmLab()
  let server = try ManagedServer()
  let result: Result<Void, any Error>
  do { result = .success(try await lab.asSlurm { try await body(lab, server) }) } catch { result = .failure(error) }
  await server.end()
  try await lab.end()
  try result.get()
}
#endif
