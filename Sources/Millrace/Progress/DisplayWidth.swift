// How many columns of a terminal text takes. Ideographs and emoji take two, combining marks none.

extension String {
  /// The columns that it takes.
  package var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

  /// As much of the beginning as fits; what is cut is shown by an ellipsis.
  package func fitting(_ columns: Int, ellipsis: String = "…") -> String {
    guard displayWidth > columns else { return self }
    let room = columns - ellipsis.displayWidth
    guard room >= 0 else { return "" }
    var (text, width) = ("", 0)
    for character in self {
      width += character.displayWidth
      if width > room { break }
      text.append(character)
    }
    return text + ellipsis
  }

  /// In one line, and without anything that a terminal would take for a command.
  package var withoutControls: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .lineSeparator, .paragraphSeparator: " "
          default: scalar
          }
        }))
  }
}

extension Character {
  /// The columns that it takes.
  package var displayWidth: Int {
    if unicodeScalars.contains("\u{FE0F}") { return 2 }
    return unicodeScalars.first.map(\.displayWidth) ?? 0
  }
}

extension Unicode.Scalar {
  fileprivate var displayWidth: Int {
    if value < 0x300 { return value < 0x20 || (0x7F..<0xA0).contains(value) ? 0 : 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    if properties.isEmojiPresentation { return 2 }
    return Self.wide.contains { $0.contains(value) } ? 2 : 1
  }

  /// East Asian wide and full-width characters.
  private static let wide: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
    0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
    0x16FE0...0x18CFF, 0x1B000...0x1B2FB, 0x1F200...0x1F2FF, 0x20000...0x3FFFD,
  ]
}
