extension Timeline {
  /// The timeline as a picture: a row for each slot, time to the right; in each piece of time as much of the height as an activity took.
  /// Readable on light and on dark ground.
  package func svg() -> String {
    let (left, width, height, gap, top) = (56.0, 840.0, 18.0, 4.0, 34.0)
    let bottom = top + Double(slotCount) * (height + gap)
    let span = max(1, Double(end - start))
    let scale = width / span
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"920\" height=\"\(Int(bottom) + 28)\" viewBox=\"0 0 920 \(Int(bottom) + 28)\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "  <title>What the workers did: \(InsightsText.format(.nanoseconds(end - start)))</title>",
      "  <style>text{fill:#555}.ground{fill:#8882}"
        + Mark.Kind.allCases.map { ".\($0){fill:\($0.colour)}" }.joined()
        + Activity.allCases.map { ".\($0.name){fill:\($0.colour)}" }.joined()
        + "@media(prefers-color-scheme:dark){text{fill:#bbb}}</style>",
    ]
    lines += legend(left)
    for slot in 0..<slotCount {
      let y = top + Double(slot) * (height + gap)
      lines.append("  <text x=\"\(Int(left) - 8)\" y=\"\(number(y + 13))\" text-anchor=\"end\">slot \(slot)</text>")
      lines.append(
        "  <rect class=\"ground\" x=\"\(number(left))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\"/>"
      )
      lines += row(slot, left, y, height, scale * Double(step), left + width)
    }
    for mark in marks where mark.slot < slotCount {
      let x = left + Double(mark.time - start) * scale
      let y = top + Double(mark.slot) * (height + gap)
      lines.append(
        "  \(shape(mark.kind, x, mark.kind == .restart ? y + height : y))<title>slot \(mark.slot) \(mark.kind.words) after "
          + "\(InsightsText.short(.nanoseconds(mark.time - start)))</title></path>")
    }
    for part in 0...4 {
      let time = (end - start) / 4 * UInt64(part)
      let anchor = part == 0 ? "start" : part == 4 ? "end" : "middle"
      lines.append(
        "  <text x=\"\(number(left + width / 4 * Double(part)))\" y=\"\(number(bottom + 16))\" text-anchor=\"\(anchor)\">"
          + "\(InsightsText.short(.nanoseconds(time)))</text>")
    }
    return (lines + ["</svg>"]).joined(separator: "\n")
  }

  private func legend(_ left: Double) -> [String] {
    var x = left
    return Activity.allCases.flatMap { activity in
      defer { x += 100 }
      return [
        "  <rect class=\"\(activity.name)\" x=\"\(number(x))\" y=\"8\" width=\"12\" height=\"12\"/>",
        "  <text x=\"\(number(x + 17))\" y=\"18\">\(activity.words)</text>",
      ]
    }
      + Mark.Kind.allCases.flatMap { kind in
        defer { x += 100 }
        return [
          "  \(shape(kind, x + 6, kind == .restart ? 16 : 12))</path>",
          "  <text x=\"\(number(x + 17))\" y=\"18\">\(kind.rawValue)</text>",
        ]
      }
  }

  /// The beginning of a mark: what ends a worker points down on its row, what begins another up from below.
  private func shape(_ kind: Mark.Kind, _ x: Double, _ y: Double) -> String {
    let lines =
      switch kind {
      case .crash: "M\(number(x - 4)) \(number(y - 3))h8l-4 7z"
      case .timeout: "M\(number(x)) \(number(y - 4))l4 4l-4 4l-4-4z"
      case .restart: "M\(number(x - 4)) \(number(y + 3))h8l-4-7z"
      }
    return "<path class=\"\(kind)\" d=\"\(lines)\">"
  }

  /// Pieces that look the same are one rectangle.
  private func row(
    _ slot: Int, _ left: Double, _ y: Double, _ height: Double, _ pieceWidth: Double, _ right: Double
  ) -> [String] {
    let levels = 9.0
    let pieces = pieces(of: slot).map { parts in parts.map { (Double($0) * levels).rounded() } }
    var lines: [String] = []
    var first = 0
    while first < pieces.count {
      var last = first
      while last + 1 < pieces.count, pieces[last + 1] == pieces[first] { last += 1 }
      let x = left + Double(first) * pieceWidth
      let width = min(right, left + Double(last + 1) * pieceWidth) - x
      var filled = 0.0
      for activity in Activity.allCases where pieces[first][activity.rawValue] > 0 && filled < levels {
        let part = min(levels - filled, pieces[first][activity.rawValue])
        filled += part
        lines.append(
          "  <rect class=\"\(activity.name)\" x=\"\(number(x))\" y=\"\(number(y + height * (1 - filled / levels)))\" "
            + "width=\"\(number(width))\" height=\"\(number(height * part / levels))\"/>")
      }
      first = last + 1
    }
    return lines
  }

  private func number(_ value: Double) -> String {
    let text = ProgressText.decimal(value, places: 2)
    return text.hasSuffix(".00") ? String(text.dropLast(3)) : text
  }
}

extension Timeline.Mark.Kind {
  fileprivate var words: String {
    switch self {
    case .crash: "crashed"
    case .timeout: "took too long, and was ended,"
    case .restart: "was begun again"
    }
  }

  fileprivate var colour: String {
    switch self {
    case .crash: "#d1242f"
    case .timeout: "#e16f24"
    case .restart: "#848d97"
    }
  }
}

extension Timeline.Activity {
  fileprivate var name: String { "\(self)" }

  fileprivate var words: String {
    switch self {
    case .startUp: "start-up"
    case .setUp: "set-up"
    case .working: "working"
    case .waiting: "waiting"
    case .tearDown: "tear-down"
    }
  }

  fileprivate var colour: String {
    switch self {
    case .startUp: "#bf8700"
    case .setUp: "#8250df"
    case .working: "#2da44e"
    case .waiting: "#8885"
    case .tearDown: "#0969da"
    }
  }
}
