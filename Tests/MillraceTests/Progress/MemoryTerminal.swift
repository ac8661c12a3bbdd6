import Millrace
import MillraceIPC

/// A terminal in memory, which understands the control codes that bars are made of, and refuses all others.
///
/// Lines that are wider than it wrap, and when it is resized, they wrap anew, as modern terminals do.
struct MemoryTerminal {
  /// A line as it was written, which may take several rows.
  private struct Line {
    var cells: [Character] = []
    var columns: Int { cells.reduce(0) { $0 + $1.displayWidth } }
  }
  private(set) var columns: Int
  private var lines: [Line] = [Line()]
  /// The cursor: in which line, and how many characters are before it.
  private var line = 0
  private var place = 0
  /// What was not understood.
  private(set) var unknown: [String] = []

  init(columns: Int) { self.columns = columns }

  mutating func resize(columns: Int) { self.columns = columns }

  /// All that is to be seen, row by row, without the empty rows at the end.
  var rows: [String] {
    var rows = lines.flatMap { self.rows(of: $0) }
    while rows.last == "" { rows.removeLast() }
    return rows
  }

  /// The cursor is at the beginning of the row below the last that is not empty.
  var isCursorBelow: Bool {
    place == 0 && lines[line...].allSatisfy(\.cells.isEmpty) && (line == 0 || !lines[line - 1].cells.isEmpty)
  }

  private func rows(of line: Line) -> [String] {
    var rows = [""]
    var width = 0
    for cell in line.cells {
      if width + cell.displayWidth > columns {
        rows.append("")
        width = 0
      }
      rows[rows.count - 1].append(cell)
      width += cell.displayWidth
    }
    return rows.map { row in
      var row = row
      while row.last == " " { row.removeLast() }
      return row
    }
  }

  mutating func write(_ text: String) {
    var scalars = Substring(text)
    while let character = scalars.popFirst() {
      switch character {
      case "\r\n", "\n": newLine()
      case "\r": place = 0
      case "\u{1B}": escape(&scalars)
      default: put(character)
      }
    }
  }

  private mutating func put(_ character: Character) {
    if place < lines[line].cells.count {
      lines[line].cells[place] = character
    } else {
      lines[line].cells.append(character)
    }
    place += 1
  }

  private mutating func newLine() {
    line += 1
    place = 0
    if line == lines.count { lines.append(Line()) }
  }

  private mutating func escape(_ rest: inout Substring) {
    guard rest.popFirst() == "[" else { return unknown.append("no CSI") }
    var number = ""
    while let digit = rest.first, digit.isNumber || digit == ";" {
      number.append(digit)
      rest.removeFirst()
    }
    switch rest.popFirst() {
    case "A": up(Int(number) ?? 1)
    case "K": lines[line].cells.removeSubrange(place...)
    case "J":
      lines[line].cells.removeSubrange(place...)
      lines.removeSubrange((line + 1)...)
    case "m": break
    case let other: unknown.append("\(number)\(other.map(String.init) ?? "")")
    }
  }

  /// Rows, of which a line that has wrapped takes several. The cursor is at the beginning of a row.
  private mutating func up(_ count: Int) {
    var left = count
    while left > 0, line > 0 {
      line -= 1
      left -= rows(of: lines[line]).count
    }
    place = 0
    if left < 0 { unknown.append("into the middle of a line that has wrapped") }
  }
}

/// Where a board writes in tests.
final class MemoryDevice: ProgressDevice {
  struct State {
    var terminal: MemoryTerminal
    var traits: TerminalTraits
    var rows = 24
    var isInForeground = true
    var answer = DeviceAnswer.written
    var writes: [String] = []
  }
  let state: Lock<State>

  init(
    columns: Int = 80, isTerminal: Bool = true, _ environment: [String: String] = ["TERM": "xterm", "LANG": "C.UTF-8"]
  ) {
    let traits = TerminalTraits(isTerminal: isTerminal) { environment[$0] }
    state = Lock(State(terminal: MemoryTerminal(columns: columns), traits: traits))
  }

  var traits: TerminalTraits { state.withLock { $0.traits } }
  var columns: Int? { state.withLock { $0.terminal.columns } }
  var rows: Int? { state.withLock { $0.rows } }
  var isInForeground: Bool { state.withLock { $0.isInForeground } }

  func write(_ text: String, patience: Int32) -> DeviceAnswer {
    state.withLock { state in
      if state.answer == .written {
        state.terminal.write(text)
        state.writes.append(text)
      }
      return state.answer
    }
  }

  var shown: [String] { state.withLock { $0.terminal.rows } }
  var writes: [String] { state.withLock { $0.writes } }
  /// Nothing but what terminals understand, and the cursor where it is to be.
  var isTidy: Bool { state.withLock { $0.terminal.unknown.isEmpty && $0.terminal.isCursorBelow } }
}
