#if CLI
#if canImport(Glibc)
import Glibc
#endif

/// The regular expression between columns (`--colsep`): POSIX extended, with `\t`, `\n` and `\d` as people write them.
final class ColumnSeparator: @unchecked Sendable {  // `regexec` only reads the compiled expression
  private var expression = regex_t()

  /// - Throws: `UsageError` with the library's reason.
  init(_ pattern: String) throws {
    let extended = try Self.extended(pattern)
    let result = regcomp(&expression, extended, REG_EXTENDED)
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
        switch escaped {
        case "t": extended += "\t"
        case "n": extended += "\n"
        case "d" where sinceBracket == nil: extended += "[0-9]"
        case "D" where sinceBracket == nil: extended += "[^0-9]"
        case _ where sinceBracket == nil: extended += "\\\(escaped)"
        case "d", "s", "w": extended += classes[escaped]!
        case "]", "-", "^", "[":
          throw UsageError(
            "--colsep '\(Shown.text(pattern))': \\\(escaped) within brackets; ] stands first there, - last")
        case "D", "S", "W":
          throw UsageError("--colsep '\(Shown.text(pattern))': \\\(escaped) cannot stand within brackets")
        case "\\": extended += "\\"
        default: extended.append(escaped)
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
      }
    }
    guard !extended.isEmpty else { throw UsageError("--colsep '' separates nothing") }
    return extended
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
