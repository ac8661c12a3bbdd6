import CMillrace
import Logging
import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Brings the executable to each host, before agents are launched there.
final class CopyingLauncher: AgentLauncher {
  private let launcher: ProcessLauncher
  private let hosts: [String]
  private let hasCopied = Lock(false)
  /// How long one may take, whatever the line.
  private static let limit: Duration = .seconds(600)

  init(_ launcher: ProcessLauncher, to hosts: [String]) { (self.launcher, self.hosts) = (launcher, hosts) }

  func replace(logger: Logger) { launcher.replace(logger: logger) }
  var isExhausted: Bool { launcher.isExhausted }
  var whyExhausted: String? { launcher.whyExhausted }
  func hasAll(_ count: Int) -> Bool { launcher.hasAll(count) }
  func end(_ alive: Set<String>) async { await launcher.end(alive) }

  func launch(logger: Logger) async throws {
    let isFirst = hasCopied.withLock { hasCopied in
      defer { hasCopied = true }
      return !hasCopied
    }
    if isFirst {
      await withTaskGroup(of: Void.self) { group in
        for host in hosts {
          group.addTask {
            // A host that cannot be reached is told of, and then once more by its agent.
            do { try await Self.copy(to: host) } catch {
              logger.error("the executable could not be brought there: \(error)", metadata: ["place": "\(host)"])
            }
          }
        }
      }
    }
    try await launcher.launch(logger: logger)
  }

  private static func copy(to host: String) async throws {
    // The very file that runs, whatever has its name by now.
    let file = Descriptor(owning: millrace_fd_open("/proc/self/exe", O_RDONLY, 0))
    guard file.rawValue >= 0 else { throw SystemError("open /proc/self/exe", errno) }
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else { throw SystemError("stat /proc/self/exe", errno) }
    let run = try await ProgramRun(
      SSHProgram.command(host, SSHProgram.copying(Int(status.st_size))), input: file, within: limit)
    guard run.hasSucceeded else { throw WorkerPoolError(.cannotStart, "ssh \(run.reason)") }
  }
}
