#if CLI
/// Text of a command line: bytes, since file names and arguments need not be UTF-8.
typealias Bytes = [UInt8]

/// What one job is made from: its number (1-based), the slot that runs it (1-based), and its values.
struct JobValues: Equatable, Sendable {
  var sequence: Int
  var slot: Int
  var arguments: [Bytes]
}

/// A command with replacement strings, as in GNU parallel: `{}` `{.}` `{/}` `{//}` `{/.}` `{#}` `{%}` and the
/// positional `{2}` `{-1}` `{2.}` `{2/}` `{2//}` `{2/.}`.
///
/// A command without any gets the values appended.
struct CommandTemplate: Sendable {
  enum Piece: Equatable, Sendable {
    case literal(Bytes)
    case replacement(Replacement)
  }

  /// Pieces in the order of the text.
  let pieces: [Piece]
  /// The same by words, where the command needs no shell to be understood.
  let words: [[Piece]]?
  /// Whether values are quoted for the shell.
  ///
  /// They are not where they are the command itself.
  let quotesValues: Bool
  /// Whether there is no command: each value is one.
  let isEmpty: Bool

  /// - Parameters:
  ///   - command: the command's words as they came from our own command line; none: each input is a command.
  ///   - quoting: the words mean themselves (`--quote`); otherwise they are joined by spaces and belong to the shell.
  init(_ command: [Bytes], quoting: Bool) {
    isEmpty = command.isEmpty
    let parsed = command.map(Self.parse)
    let needsValues = !parsed.joined().contains { if case .replacement = $0 { true } else { false } }
    let everything = Piece.replacement(Replacement(source: .all, part: .whole))
    if quoting && !command.isEmpty {
      let words = parsed + (needsValues ? [[everything]] : [])
      self.words = DirectCommand.namesProgram(words) ? words : nil
      quotesValues = true
      pieces = Array(
        words.map { word in
          word.isEmpty ? [Piece.literal(ShellQuoting.quote([]))] : word.map(Self.quotingLiteral)
        }.joined(separator: [.literal([.space])]))
    } else {
      var pieces = Array(parsed.joined(separator: [.literal([.space])]))
      if needsValues { pieces += command.isEmpty ? [everything] : [.literal([.space]), everything] }
      // A replacement string in the place of the command's name is a command, with all that a shell makes of it.
      if case .replacement = pieces.first { quotesValues = quoting } else { quotesValues = true }
      self.pieces = pieces
      words = quotesValues ? DirectCommand.words(of: pieces) : nil
    }
  }

  /// The command as the shell would read it; also what is shown and logged.
  func text(for job: JobValues) -> Bytes {
    var text = Bytes()
    for piece in pieces {
      switch piece {
      case .literal(let bytes): text += bytes
      case .replacement(let replacement):
        let values = replacement.values(for: job)
        for (position, value) in values.enumerated() {
          if position > 0 { text.append(.space) }
          text += quotesValues ? ShellQuoting.quote(value) : value
        }
      }
    }
    return text
  }

  /// The arguments of the program to start without a shell, or nil where the shell has to read the command.
  func arguments(for job: JobValues) -> [Bytes]? {
    guard let words else {
      // A whole command as input is often as plain as a template.
      guard !quotesValues else { return nil }
      return DirectCommand.words(of: [.literal(text(for: job))]).flatMap { DirectCommand.arguments(from: $0, job) }
    }
    return DirectCommand.arguments(from: words, job)
  }

  /// GNU parallel's `{= … =}` is code in Perl.
  ///
  /// As text it would silently mean something else.
  /// - Throws: `UsageError` that names it.
  static func refusePerl(_ command: [Bytes]) throws {
    let text = Bytes(command.joined(separator: [.space]))
    for start in text.indices where text[start] == UInt8(ascii: "{") {
      let rest = text[(start + 1)...].drop {
        $0 == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
      }
      guard rest.first == UInt8(ascii: "=") else { continue }
      let ending = zip(rest.dropFirst().indices, rest.dropFirst().dropFirst().indices).first {
        text[$0] == UInt8(ascii: "=") && text[$1] == UInt8(ascii: "}")
      }
      guard let ending else { continue }
      throw UsageError(
        "'\(Shown.text(Bytes(text[start...ending.1])))' is code in Perl, which only GNU parallel runs; let the shell change {} instead"
      )
    }
  }

  private static func quotingLiteral(_ piece: Piece) -> Piece {
    if case .literal(let bytes) = piece { .literal(ShellQuoting.quote(bytes)) } else { piece }
  }

  /// Splits a text at its replacement strings; other braces are literal.
  static func parse(_ text: Bytes) -> [Piece] {
    var pieces: [Piece] = []
    var literal = Bytes()
    var position = text.startIndex
    while position < text.endIndex {
      if text[position] == UInt8(ascii: "{"),
        let end = text[position...].firstIndex(of: UInt8(ascii: "}")),
        let replacement = Replacement(text[(position + 1)..<end])
      {
        if !literal.isEmpty { pieces.append(.literal(literal)) }
        literal = []
        pieces.append(.replacement(replacement))
        position = end + 1
      } else {
        literal.append(text[position])
        position += 1
      }
    }
    if !literal.isEmpty { pieces.append(.literal(literal)) }
    return pieces
  }
}

extension UInt8 {
  static let space = UInt8(ascii: " ")
  static let slash = UInt8(ascii: "/")
  static let newline = UInt8(ascii: "\n")
  static let tab = UInt8(ascii: "\t")
}
#endif
