import Millrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Which executable is run on another host.
enum SSHProgram: Sendable, Equatable {
  /// The one with the path that this one has here.
  case here
  case path(String)
  /// The one that was brought there.
  case copied

  /// What the shell there is to do: become an agent, which is told by its standard input what to know.
  var line: String {
    let program =
      switch self {
      case .here: Self.ownPath.quotedForShell
      case .path(let path): path.quotedForShell
      case .copied: Self.place
      }
    return "\(AgentSettings.variable)=stdin exec \(program)"
  }

  /// Where it is brought: named after the build, so that each is brought once.
  static let place = "\"${XDG_CACHE_HOME:-$HOME/.cache}/millrace/\(BuildFingerprint.current)\""

  /// What the shell there is to do with the executable at its standard input: keep it, if it is not there. All of it, or nothing: what comes
  /// to an end too soon is as long as it is, and no program.
  static func copying(_ size: Int) -> String {
    "f=\(place); [ -x \"$f\" ] || { umask 077; mkdir -p \"${f%/*}\" && cat >\"$f.$$\" "
      + "&& [ \"$(wc -c <\"$f.$$\")\" -eq \(size) ] && chmod 700 \"$f.$$\" && mv \"$f.$$\" \"$f\" "
      + "|| { rm -f \"$f.$$\"; exit 1; }; }"
  }

  static func command(_ host: String, _ line: String, _ way: Way? = nil) -> [String] {
    ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"] + (way?.words ?? []) + [host, line]
  }

  /// How an agent elsewhere gets to a port of this machine that nobody but this machine can come to.
  struct Way {
    /// The port there, on that machine alone. One that somebody has there ends `ssh`, and the next one takes another.
    var there: Int
    var here: Int

    /// To a port here, from one there of those that Linux does not give to whoever asks for any.
    init(to here: Int) { (there, self.here) = (Int.random(in: 20_000..<32_000), here) }

    var words: [String] { ["-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:\(there):127.0.0.1:\(here)"] }
  }

  /// Of the file that runs, whatever it was started as.
  static var ownPath: String {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
      count = max(0, buffer.withMemoryRebound(to: CChar.self) { readlink("/proc/self/exe", $0.baseAddress!, $0.count) })
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
