/// A map's progress in one line, as wide as there is room for.
package struct ProgressLine: Sendable {
  /// Without the bar itself.
  var isCompact = false
  /// Whether the terminal shows more than ASCII.
  var isUnicode = true
  var hasColour = false

  package init(isCompact: Bool = false, isUnicode: Bool = true, hasColour: Bool = false) {
    self.isCompact = isCompact
    self.isUnicode = isUnicode
    self.hasColour = hasColour
  }

  /// A part of it. Where not all fit, those of the lowest rank go first; rank 0 stays.
  private struct Part {
    var text: String
    var rank: Int
    var colour = ""
  }

  private static let shortestBar = 5
  private static let longestBar = 40
  private static let rankOfBar = 3

  /// - Parameter columns: those that it may take at the most.
  package func text(_ state: ProgressState, columns: Int) -> String {
    var parts = parts(of: state)
    var hasBar = !isCompact && state.fraction != nil
    func width() -> Int {
      parts.reduce(0) { $0 + $1.text.displayWidth + 1 } - 1 + (hasBar ? Self.shortestBar + 1 : 0)
    }
    while width() > columns {
      let lowest = parts.indices.filter { parts[$0].rank > 0 }.min { parts[$0].rank < parts[$1].rank }
      if hasBar, lowest.map({ parts[$0].rank >= Self.rankOfBar }) ?? true {
        hasBar = false
      } else if let lowest {
        parts.remove(at: lowest)
      } else {
        break
      }
    }
    let excess = width() - columns
    if excess > 0 {
      // The name gives way, then whatever is too long.
      if !state.name.isEmpty || !state.detail.isEmpty {
        parts[0].text = parts[0].text.fitting(parts[0].text.displayWidth - excess, ellipsis: ellipsis)
      }
      parts.removeAll { $0.text.isEmpty }
    }
    var texts = parts.map { hasColour && !$0.colour.isEmpty ? $0.colour + $0.text + "\u{1B}[0m" : $0.text }
    if hasBar {
      let length = min(Self.longestBar, columns - width() + Self.shortestBar)
      // Behind the percentage.
      texts.insert(bar(state, length), at: state.name.isEmpty && state.detail.isEmpty ? 1 : 2)
    }
    if excess > 0 { return texts.joined(separator: " ").fitting(columns, ellipsis: "") }
    return texts.joined(separator: " ")
  }

  private var ellipsis: String { isUnicode ? "…" : "~" }

  private func parts(of state: ProgressState) -> [Part] {
    var parts: [Part] = []
    let name = [state.name, state.detail].filter { !$0.isEmpty }.joined(separator: " ").withoutControls
    if !name.isEmpty { parts.append(Part(text: name, rank: 0)) }
    if let percent = state.percent {
      let text = "\(percent)%"
      parts.append(Part(text: String(repeating: " ", count: 4 - text.count) + text, rank: 0))
    }
    let unit = state.unit.isEmpty ? "" : " " + state.unit.withoutControls
    parts.append(Part(text: (state.total.map { "\(state.finished)/\($0)" } ?? "\(state.finished)") + unit, rank: 7))
    if state.failed > 0 { parts.append(Part(text: "\(state.failed) failed", rank: 6, colour: "\u{1B}[31m")) }
    if state.retried > 0 { parts.append(Part(text: "\(state.retried) retried", rank: 1, colour: "\u{1B}[33m")) }
    if let rate = state.rate { parts.append(Part(text: ProgressText.number(rate) + "/s", rank: 2)) }
    parts.append(Part(text: ProgressText.clock(state.elapsed), rank: 4))
    switch state.phase {
    case .running:
      if let remaining = state.remaining {
        // Rounded up: it is zero when it is over.
        parts.append(Part(text: ProgressText.clock(remaining + .milliseconds(999)) + " left", rank: 5))
      }
    case .complete: break
    case .failed: parts.append(Part(text: "failed", rank: 8, colour: "\u{1B}[31m"))
    case .cancelled: parts.append(Part(text: "cancelled", rank: 8, colour: "\u{1B}[33m"))
    }
    return parts
  }

  private func bar(_ state: ProgressState, _ length: Int) -> String {
    let fraction = state.fraction ?? 0
    let (full, empty) = isUnicode ? ("━", "─") : ("#", "-")
    let filled = Int((fraction * Double(length)).rounded(.down)).clamped(to: 0...length)
    let head = String(repeating: full, count: filled)
    let rest = String(repeating: empty, count: length - filled)
    guard hasColour else { return head + rest }
    let colour = state.phase == .failed ? "\u{1B}[31m" : state.phase == .cancelled ? "\u{1B}[33m" : "\u{1B}[32m"
    return colour + head + "\u{1B}[2m" + rest + "\u{1B}[0m"
  }

  // MARK: Lines for logs and programs

  /// For a log: everything, however wide.
  package static func log(_ state: ProgressState, hasColour: Bool = false) -> String {
    let line = ProgressLine(isCompact: true, isUnicode: false, hasColour: hasColour).text(state, columns: .max / 2)
    return state.phase == .complete ? line + " done" : line
  }

  /// For a program: one JSON object.
  package static func json(_ state: ProgressState) -> String {
    func seconds(_ duration: Duration) -> String {
      ProgressText.decimal(
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18, places: 3)
    }
    var fields = [
      ("name", state.name.quotedForJSON), ("unit", state.unit.quotedForJSON), ("done", "\(state.done)"),
      ("failed", "\(state.failed)"), ("retried", "\(state.retried)"), ("total", state.total.map { "\($0)" } ?? "null"),
      ("elapsed", seconds(state.elapsed)),
      ("rate", state.rate.map { ProgressText.decimal($0, places: 3) } ?? "null"),
      ("remaining", state.remaining.map(seconds) ?? "null"), ("phase", "\"\(state.phase.rawValue)\""),
    ]
    if !state.detail.isEmpty { fields.insert(("detail", state.detail.quotedForJSON), at: 1) }
    return "{" + fields.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
  }
}

extension String {
  /// As a string of JSON.
  package var quotedForJSON: String {
    var text = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text + "\""
  }
}
