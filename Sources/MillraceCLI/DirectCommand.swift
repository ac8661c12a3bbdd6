#if CLI
/// Commands that mean the same with and without a shell: plain words, the first the name of a program.
///
/// Starting such a program ourselves saves a shell a job. Whatever a shell could read differently (a metacharacter, a
/// keyword, a builtin whose output is not the program's, a function) is left to it.
enum DirectCommand {
  /// The words of a command without metacharacters whose program is known by its text; nil for others.
  static func words(of pieces: [CommandTemplate.Piece]) -> [[CommandTemplate.Piece]]? {
    var words: [[CommandTemplate.Piece]] = []
    var word: [CommandTemplate.Piece] = []
    for piece in pieces {
      guard case .literal(let bytes) = piece else {
        word.append(piece)
        continue
      }
      for (position, part) in bytes.split(omittingEmptySubsequences: false, whereSeparator: isBlank).enumerated() {
        guard part.allSatisfy(isPlain) else { return nil }
        if position > 0 && !word.isEmpty {
          words.append(word)
          word = []
        }
        if !part.isEmpty { word.append(.literal(Bytes(part))) }
      }
    }
    if !word.isEmpty { words.append(word) }
    return namesProgram(words) ? words : nil
  }

  /// Whether the first word is a name that a shell would look for among the programs.
  static func namesProgram(_ words: [[CommandTemplate.Piece]]) -> Bool {
    guard let first = words.first, first.count == 1, case .literal(let name) = first[0] else { return false }
    return !name.contains(UInt8(ascii: "=")) && !shellWords.contains(String(decoding: name, as: UTF8.self))
  }

  /// The arguments of one job, split where the shell would split them.
  static func arguments(from words: [[CommandTemplate.Piece]], _ job: JobValues) -> [Bytes]? {
    var arguments: [Bytes] = []
    arguments.reserveCapacity(words.count)
    for word in words {
      var argument: Bytes? = word.isEmpty ? [] : nil
      for piece in word {
        switch piece {
        case .literal(let bytes): argument = (argument ?? []) + bytes
        case .replacement(let replacement):
          for (position, value) in replacement.values(for: job).enumerated() {
            if position > 0, let whole = argument {
              arguments.append(whole)
              argument = nil
            }
            argument = argument.map { $0 + value } ?? value
          }
        }
      }
      if let argument { arguments.append(argument) }
    }
    guard let name = arguments.first, !name.isEmpty else { return nil }
    // The programs `true` and `false` have two options, which count where they are alone; the builtins have none.
    if name == Bytes("true".utf8) || name == Bytes("false".utf8), arguments.count == 2,
      arguments[1].starts(with: Bytes("--".utf8))
    {
      return nil
    }
    // Those of `echo` differ in options and backslashes.
    if name == Bytes("echo".utf8),
      arguments.dropFirst().contains(where: { $0.first == UInt8(ascii: "-") || $0.contains(UInt8(ascii: "\\")) })
    {
      return nil
    }
    return arguments
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == .space || byte == .tab }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
      UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "@"),
      UInt8(ascii: "%"), UInt8(ascii: "="):
      true
    default: false
    }
  }

  /// Keywords and builtins of sh, dash and bash, but for `true`, `false` and `echo`.
  static let shellWords: Set<String> = [
    "!", ".", ":", "[", "[[", "]]", "alias", "bg", "bind", "break", "builtin", "caller", "case", "cd", "chdir",
    "command", "compgen", "complete", "compopt", "continue", "coproc", "declare", "dirs", "disown", "do", "done",
    "elif", "else", "enable", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function",
    "getopts", "hash", "help", "history", "if", "in", "jobs", "kill", "let", "local", "logout", "mapfile", "popd",
    "printf", "pushd", "pwd", "read", "readarray", "readonly", "return", "select", "set", "shift", "shopt",
    "source", "suspend", "test", "then", "time", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias",
    "unset", "until", "wait", "while", "{", "}",
  ]
}
#endif
