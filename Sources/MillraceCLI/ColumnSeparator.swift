#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The regular expression between columns (`--colsep`): POSIX extended, with the escapes that people write in Perl's.
///
/// What would mean something else here than there is refused.
final class ColumnSeparator: @unchecked Sendable {  // `regexec` only reads the compiled expression
  private var expression = regex_t()

  /// - Throws: `UsageError` with the library's reason.
  init(_ pattern: String) throws {
    let extended = try Self.extended(pattern)
    let result = (ArgumentBytes.bytes(from: extended) + [0]).withUnsafeBytes { bytes in
      regcomp(&expression, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), REG_EXTENDED)
    }
    guard result == 0 else {
      var reason = [CChar](repeating: 0, count: 256)
      regerror(result, &expression, &reason, reason.count)
      let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw UsageError("--colsep '\(Shown.text(pattern))' is no regular expression: \(text)")
    }
  }

  /// The pattern in the library's language, which has no escapes within brackets and not all outside.
  private static func extended(_ pattern: String) throws -> String {
    let classes: [Character: String] = ["d": "0-9", "s": "[:space:]", "w": "[:alnum:]_"]
    var extended = ""
    var characters = pattern[...]
    /// Characters since the bracket that is open.
    var sinceBracket: Int?
    while let character = characters.popFirst() {
      if character == "\\" {
        guard let escaped = characters.popFirst() else {
          extended += "\\"
          break
        }
        let isWord = escaped.isASCII && (escaped.isLetter || escaped.isNumber)
        if let literal = try Self.character(escaped, &characters, pattern) ?? (isWord ? nil : escaped) {
          if sinceBracket == nil {
            // Of other escapes the library makes operators of its own.
            extended += #".[]{}()*+?^$|\"#.contains(literal) ? "\\\(literal)" : String(literal)
          } else if "]-^[".contains(literal) {
            throw UsageError(
              "--colsep '\(Shown.text(pattern))': \\\(escaped) within brackets; ] stands first there, - last")
          } else {
            extended.append(literal)
          }
        } else {
          switch (escaped, sinceBracket == nil) {
          case ("d", true): extended += "[0-9]"
          case ("D", true): extended += "[^0-9]"
          case ("s", true), ("S", true), ("w", true), ("W", true), ("b", true), ("B", true), ("1"..."9", true):
            extended += "\\\(escaped)"
          case ("b", false): extended += "\u{8}"
          case ("d", false), ("s", false), ("w", false): extended += classes[escaped]!
          case ("D", false), ("S", false), ("W", false):
            throw UsageError("--colsep '\(Shown.text(pattern))': \\\(escaped) cannot stand within brackets")
          default: throw UsageError("--colsep '\(Shown.text(pattern))': \\\(escaped) is not known here")
          }
        }
        sinceBracket = sinceBracket.map { $0 + 1 }
        continue
      }
      extended.append(character)
      if let since = sinceBracket {
        let isFirst = since == 0 || since == 1 && extended.hasSuffix("^]")
        if character == "[", let next = characters.first, ":.=".contains(next) {
          // A class, as in [[:space:]]: as it is.
          while let inner = characters.popFirst() {
            extended.append(inner)
            if inner == "]", extended.dropLast().last == next { break }
          }
        }
        sinceBracket = character == "]" && !isFirst ? nil : since + 1
      } else if character == "[" {
        sinceBracket = 0
      } else if "*+?}".contains(character), let next = characters.first, "?+".contains(next) {
        throw UsageError(
          "--colsep '\(Shown.text(pattern))': \(character)\(next), as much as it takes or as little, is only in Perl")
      }
    }
    guard !extended.isEmpty else { throw UsageError("--colsep '' separates nothing") }
    return extended
  }

  /// The one character that an escape stands for, with its digits, which are taken; nil if it stands for something else.
  private static func character(
    _ escaped: Character, _ rest: inout Substring, _ pattern: String
  ) throws -> Character? {
    let controls: [Character: Character] = [
      "t": "\t", "n": "\n", "r": "\r", "f": "\u{C}", "a": "\u{7}", "e": "\u{1B}",
    ]
    if let control = controls[escaped] { return control }
    var digits = ""
    let isHexadecimal = escaped == "x"
    if isHexadecimal, rest.first == "{" {
      digits = String(rest.dropFirst().prefix { $0 != "}" })
      rest = rest.dropFirst(digits.count + 2)
    } else if isHexadecimal {
      digits = String(rest.prefix(2).prefix { $0.isHexDigit })
      rest = rest.dropFirst(digits.count)
    } else if escaped == "0" {
      digits = "0" + rest.prefix(2).prefix { "01234567".contains($0) }
      rest = rest.dropFirst(digits.count - 1)
    } else {
      return nil
    }
    // A byte above would be half of a character.
    guard let value = UInt8(digits, radix: isHexadecimal ? 16 : 8), (1..<128).contains(value) else {
      throw UsageError("--colsep '\(Shown.text(pattern))': \\\(escaped)\(digits) is no character of ASCII but NUL")
    }
    return Character(UnicodeScalar(value))
  }

  deinit { regfree(&expression) }

  /// The columns of a value; the value itself if no separator is in it.
  func split(_ value: Bytes) -> [Bytes] {
    var columns: [Bytes] = []
    var columnStart = 0
    var searchStart = 0
    // The match's end counts, but the address sanitizer's `regexec` looks for a NUL nevertheless.
    (value + [0]).withUnsafeBytes { bytes in
      let text = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
      while let text, searchStart < value.count {
        var match = regmatch_t(rm_so: regoff_t(searchStart), rm_eo: regoff_t(value.count))
        let flags = REG_STARTEND | (searchStart > 0 ? REG_NOTBOL : 0)
        guard regexec(&expression, text, 1, &match, flags) == 0 else { return }
        guard match.rm_eo > match.rm_so else {  // an empty match separates nothing
          searchStart = Int(match.rm_eo) + 1
          continue
        }
        columns.append(Bytes(value[columnStart..<Int(match.rm_so)]))
        columnStart = Int(match.rm_eo)
        searchStart = columnStart
      }
    }
    columns.append(Bytes(value[columnStart...]))
    return columns
  }
}
#endif
