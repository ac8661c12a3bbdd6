#if CLI
#if canImport(Glibc)
import Glibc
#endif

/// The regular expression between columns (`--colsep`): POSIX extended, with `\t`, `\n` and `\d` as people write them.
final class ColumnSeparator: @unchecked Sendable {  // `regexec` only reads the compiled expression
  private var expression = regex_t()

  /// - Throws: `UsageError` with the library's reason.
  init(_ pattern: String) throws {
    var extended = ""
    var isEscaped = false
    for character in pattern {
      if isEscaped {
        switch character {
        case "t": extended += "\t"
        case "n": extended += "\n"
        case "d": extended += "[0-9]"
        default: extended += "\\\(character)"
        }
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        extended.append(character)
      }
    }
    if isEscaped { extended += "\\" }
    let result = regcomp(&expression, extended, REG_EXTENDED)
    guard result == 0 else {
      var reason = [CChar](repeating: 0, count: 256)
      regerror(result, &expression, &reason, reason.count)
      let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw UsageError("--colsep '\(pattern)' is no regular expression: \(text)")
    }
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
