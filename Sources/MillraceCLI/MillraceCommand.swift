#if CLI
import ArgumentParser
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The command `millrace`.
struct MillraceCommand: ParsableCommand {
  static let versionLine = "millrace 0.1.0-dev"

  static let configuration = CommandConfiguration(
    commandName: "millrace",
    abstract: "Run work over many inputs at once, and lose nothing.",
    version: versionLine,
    subcommands: subcommands)

  /// What the first word may be.
  static let names = subcommands.compactMap { $0.configuration.commandName }

  #if Cluster
  private static let subcommands: [any ParsableCommand.Type] = [MapCommand.self, ClusterCommand.self]
  #else
  private static let subcommands: [any ParsableCommand.Type] = [MapCommand.self]
  #endif
}

@main
struct Entry {
  static func main() {
    Descriptor.standInForMissing()
    do {
      let arguments = try OptionSpelling.canonical(
        ArgumentBytes.ofThisProgram(), variable: getenv("PARALLEL").map { ArgumentBytes.string(cString: $0) })
      var command = try MillraceCommand.parseAsRoot(arguments)
      guard let map = command as? MapCommand else { return try command.run() }
      let options = try map.checked()
      // Before there is any other thread, so that all have the same signals blocked; an `async` main would be late.
      millrace_job_prepare_signals()
      let run = try MapRun(options)
      Task.detached {
        do { exit(try await run.run()) } catch { finish(error) }
      }
      while true { pause() }
    } catch {
      finish(error)
    }
  }

  /// Help and the like go to standard output; anything wrong is one line on standard error.
  private static func finish(_ error: any Error) -> Never {
    var exitCode = MillraceExit.otherError
    var message = "\(error)"
    switch error {
    case is UsageError: exitCode = MillraceExit.usage
    case is SystemError: break
    default:
      // The parser knows its own errors; any other would be told from them by nothing but its code.
      switch MillraceCommand.exitCode(for: error) {
      case .success:
        print(MillraceCommand.fullMessage(for: error))
        exit(MillraceExit.success)
      case .validationFailure:
        exitCode = MillraceExit.usage
        message = MillraceCommand.message(for: error)
      default: break
      }
    }
    let line = Bytes("millrace: \(Shown.line(message))\n".utf8)
    try? line.withUnsafeBytes { try writeAll($0, to: 2) }
    exit(exitCode)
  }
}
#else
#if canImport(Glibc)
import Glibc
#endif

@main
struct Entry {
  static func main() {
    print("millrace was built without its trait CLI, so this command does nothing.")
    exit(64)
  }
}
#endif
