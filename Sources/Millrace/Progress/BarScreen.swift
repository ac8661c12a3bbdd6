/// The bars at the lower end of a terminal, as control codes.
///
/// The cursor stands always at the beginning of the line under the last bar. So whatever ends or stops the program, Ctrl-C and SIGKILL too,
/// leaves the terminal as a program that prints lines does: nothing has to be restored, and no signal needs a handler. A frame is one piece:
/// up to the first bar, each line over the old one, the rest erased; nothing is ever blank in between.
package struct BarScreen: Sendable {
  /// The columns that each bar took when it was drawn.
  private var widths: [Int] = []
  private var bars: [String] = []

  package init() {}

  /// Whether bars stand there.
  package var isEmpty: Bool { bars.isEmpty }

  /// Bars are there now, and lines above them that stay.
  ///
  /// - Parameters:
  ///   - columns: the terminal's. If it has become narrower since, the bars have wrapped.
  ///   - afterText: the cursor stands behind text without an end of line, which is to stay.
  package mutating func frame(
    lines: [String] = [], bars: [String], columns: Int, afterText: Bool = false
  ) -> String {
    let height = height(columns)
    var text = afterText && height == 0 ? "\n" : "\r"
    if height > 0 { text += "\u{1B}[\(height)A" }
    for line in lines + bars { text += line + "\u{1B}[K\n" }
    let surplus = height - lines.count - bars.count
    if height > widths.count {
      // Where bars have wrapped nobody knows how the terminal counts their rows.
      text += "\u{1B}[J"
    } else if surplus > 0 {
      // Row by row: to erase all of a screen is to tmux to keep it in its history.
      text += String(repeating: "\u{1B}[K\n", count: surplus) + "\u{1B}[\(surplus)A"
    }
    self.bars = bars
    widths = bars.map { $0.withoutColour.displayWidth }
    return text
  }

  /// Lines that stay, above the bars.
  package mutating func print(_ lines: [String], columns: Int) -> String {
    frame(lines: lines, bars: bars, columns: columns)
  }

  /// Takes the bars away, so that others may write where they stood; returns them, for a frame afterwards.
  package mutating func erase(columns: Int) -> (text: String, bars: [String]) {
    let taken = bars
    guard !taken.isEmpty else { return ("", []) }
    return (frame(bars: [], columns: columns), taken)
  }

  /// What stands there is the terminal's now: somebody else has written since, or may have.
  package mutating func letGo() {
    bars = []
    widths = []
  }

  /// The rows that the bars take.
  private func height(_ columns: Int) -> Int {
    widths.reduce(0) { $0 + max(1, ($1 + columns - 1) / max(1, columns)) }
  }
}

extension String {
  fileprivate var withoutColour: String {
    guard utf8.contains(0x1B) else { return self }
    var text = ""
    var isCode = false
    for scalar in unicodeScalars {
      if isCode {
        isCode = scalar != "m"
      } else if scalar == "\u{1B}" {
        isCode = true
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
