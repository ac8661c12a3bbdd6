#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The shell that reads the commands: `$PARALLEL_SHELL`, else the one that started us, else `$SHELL`, else `/bin/sh`; only one of the
/// Bourne family, since the values are quoted for these.
///
/// bash hands functions on to the programs that it starts. If there are some that the shell found did not have from the
/// beginning, a bash was between it and us, gone by its own `exec`, and the commands are meant for it.
struct Shell: Sendable {
  let path: Bytes
  /// What named it, for messages.
  let origin: String
  /// Names that the environment gives to functions of bash; bash also runs a start file if it is told to.
  private let functions: Set<Bytes>
  private let startsPlain: Bool

  /// - Throws: `UsageError` for a `$PARALLEL_SHELL` that is no shell of this family.
  init(environment: [Bytes], starting: StartingShell?) throws {
    func value(_ name: String) -> Bytes? {
      let prefix = Bytes("\(name)=".utf8)
      return environment.first { $0.starts(with: prefix) }.map { Bytes($0.dropFirst(prefix.count)) }
    }
    let definitions = environment.filter(Self.isFunction)
    functions = Set(
      definitions.map {
        Bytes($0.dropFirst(Self.functionPrefix.count).prefix { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "(") })
      })
    if let wanted = value("PARALLEL_SHELL"), !wanted.isEmpty {
      guard Self.isBourne(Self.name(of: wanted)) else {
        throw UsageError("$PARALLEL_SHELL '\(Shown.text(wanted))' is not a shell of the Bourne family")
      }
      (path, origin) = (wanted, "$PARALLEL_SHELL")
    } else {
      var found = (path: Bytes("/bin/sh".utf8), origin: "the default")
      if let starting, Self.isBourne(Self.name(of: starting.path)) {
        found = (starting.path, "the shell that started millrace")
      } else if let login = value("SHELL"), Self.isBourne(Self.name(of: login)) {
        found = (login, "$SHELL")
      }
      let known = Set(starting?.environment.filter(Self.isFunction) ?? [])
      if Self.name(of: found.path) != "bash", !known.isSuperset(of: definitions) {
        found = (Bytes("bash".utf8), "the shell of the exported functions")
      }
      (path, origin) = found
    }
    startsPlain = value("BASH_ENV") == nil && ["sh", "bash", "dash"].contains(Self.name(of: path))
  }

  /// Why it cannot be started, where that can be seen beforehand.
  var problem: SystemError? {
    guard path.contains(.slash) else { return nil }
    return (path + [0]).withUnsafeBytes { bytes in
      let name = bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
      return access(name, X_OK) == 0 ? nil : startError(errno)
    }
  }

  func startError(_ code: Int32) -> SystemError {
    SystemError("cannot start the shell '\(Shown.text(path))' (\(origin))", code: code)
  }

  /// Whether this shell would do nothing with a command of plain words but start the program of that name.
  func onlyStarts(_ program: Bytes) -> Bool {
    startsPlain && (functions.isEmpty || !functions.contains(program))
  }

  /// Linux takes at most 128 KiB for one argument, its end included.
  static let longestArgument = 128 * 1024 - 1

  /// The arguments that make the shell run a command text.
  ///
  /// A text that is too long for one argument goes over in several.
  func arguments(toRun text: Bytes) -> [Bytes] {
    let option = Bytes("-c".utf8)
    if text.count <= Self.longestArgument { return [path, option, text] }
    let join = Bytes(#"IFS=; millrace_text="$*"; unset IFS; set --; eval "$millrace_text""#.utf8)
    let parts = stride(from: 0, to: text.count, by: Self.longestArgument).map {
      Bytes(text[$0..<min($0 + Self.longestArgument, text.count)])
    }
    return [path, option, join, path] + parts
  }

  private static let functionPrefix = Bytes("BASH_FUNC_".utf8)
  private static func isFunction(_ variable: Bytes) -> Bool { variable.starts(with: functionPrefix) }

  private static let bourne: Set<String> = ["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "yash", "zsh"]
  private static let others: Set<String> = ["csh", "tcsh", "fish", "rc", "es", "elvish", "xonsh", "nu", "pwsh"]

  static func isBourne(_ name: String) -> Bool { bourne.contains(name) }
  static func isShell(_ name: String) -> Bool { bourne.contains(name) || others.contains(name) }
  /// Programs that are many commands, by the name that they are called by.
  static func isMultiple(_ name: String) -> Bool { name == "busybox" || name == "toybox" }

  static func name(of path: Bytes) -> String {
    String(decoding: path[(path.lastIndex(of: .slash).map { $0 + 1 } ?? 0)...], as: UTF8.self)
  }
}
#endif
