#if CLI
/// The shell that reads the commands: `$PARALLEL_SHELL`, else `$SHELL`, else `/bin/sh`; only one of the Bourne family,
/// since the values are quoted for these.
struct Shell: Sendable {
  let path: Bytes
  /// Names that the environment gives to functions of bash; bash also runs a start file if it is told to.
  private let functions: Set<Bytes>
  private let startsPlain: Bool

  init(environment: [Bytes]) {
    func value(_ name: String) -> Bytes? {
      let prefix = Bytes("\(name)=".utf8)
      return environment.first { $0.starts(with: prefix) }.map { Bytes($0.dropFirst(prefix.count)) }
    }
    let known: Set<String> = ["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "yash", "zsh"]
    let wanted = [value("PARALLEL_SHELL"), value("SHELL")].lazy.compactMap(\.self)
      .first { known.contains(Self.name(of: $0)) }
    path = wanted ?? Bytes("/bin/sh".utf8)
    let prefix = Bytes("BASH_FUNC_".utf8)
    functions = Set(
      environment.filter { $0.starts(with: prefix) }
        .map { Bytes($0.dropFirst(prefix.count).prefix { $0 != UInt8(ascii: "%") && $0 != UInt8(ascii: "(") }) })
    startsPlain = value("BASH_ENV") == nil && ["sh", "bash", "dash"].contains(Self.name(of: path))
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

  private static func name(of path: Bytes) -> String {
    String(decoding: path[(path.lastIndex(of: .slash).map { $0 + 1 } ?? 0)...], as: UTF8.self)
  }
}
#endif
