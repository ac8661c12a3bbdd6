#if CLI
/// What others wrote, in a message of ours: on one line, of bounded length, without what a terminal would act on.
enum Shown {
  /// Bytes of a command or value that a message shows.
  static let most = 300

  /// The beginning of a text; how long it is, where that is not all.
  static func text(_ bytes: Bytes) -> String {
    var shown = ""
    for scalar in String(decoding: bytes.prefix(most), as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\n": shown += "\\n"
      case "\t": shown += "\t"
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": shown += "\\x" + hexadecimal(scalar.value)
      default: shown.unicodeScalars.append(scalar)
      }
    }
    guard bytes.count > most else { return shown }
    // The last character may have been cut in the middle.
    while shown.unicodeScalars.last == "\u{FFFD}" { shown.unicodeScalars.removeLast() }
    return shown + "… (\(bytes.count) bytes)"
  }

  static func text(_ string: String) -> String { text(ArgumentBytes.bytes(from: string)) }

  /// A whole message on one line, cut where a line ends to be one.
  static func line(_ message: String) -> String {
    let line = message.split(separator: "\n").joined(separator: " ")
    return line.utf8.count <= 2000 ? line : String(decoding: line.utf8.prefix(2000), as: UTF8.self) + "…"
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    (value < 16 ? "0" : "") + String(value, radix: 16)
  }
}
#endif
