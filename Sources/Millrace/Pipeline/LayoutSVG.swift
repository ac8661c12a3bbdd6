extension Pipeline {
  /// The pipeline as a picture: a column for each step of the data, a box for each stage.
  public func layoutSVG() -> String { Blueprint(self).layoutSVG() }
}

extension Blueprint {
  func layoutSVG() -> String {
    let depths = graph.depths
    let (boxWidth, boxHeight, gapX, gapY, margin) = (140, 36, 48, 20, 12)
    var rows: [Int: Int] = [:]
    var corners: [Int: (x: Int, y: Int)] = [:]
    for place in stages.indices {
      let column = depths[place]!
      let row = rows[column, default: 0]
      rows[column] = row + 1
      corners[place] = (margin + column * (boxWidth + gapX), margin + row * (boxHeight + gapY))
    }
    let width = corners.values.map { $0.x + boxWidth + margin }.max() ?? 0
    let height = corners.values.map { $0.y + boxHeight + margin }.max() ?? 0
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width)\" height=\"\(height)\" viewBox=\"0 0 \(width) \(height)\" "
        + "font-family=\"sans-serif\" font-size=\"13\" text-anchor=\"middle\">"
    ]
    for (place, stage) in stages.enumerated() {
      for input in stage.inputs {
        let (from, to) = (corners[input]!, corners[place]!)
        lines.append(
          "  <line x1=\"\(from.x + boxWidth)\" y1=\"\(from.y + boxHeight / 2)\" x2=\"\(to.x)\" y2=\"\(to.y + boxHeight / 2)\" stroke=\"#888\"/>"
        )
      }
    }
    for (place, stage) in stages.enumerated() {
      let corner = corners[place]!
      lines.append(
        "  <g><title>\(stage.name.escapedForXML)</title><rect x=\"\(corner.x)\" y=\"\(corner.y)\" width=\"\(boxWidth)\" height=\"\(boxHeight)\" "
          + "rx=\"6\" fill=\"#eef3f8\" stroke=\"#456\"/><text x=\"\(corner.x + boxWidth / 2)\" y=\"\(corner.y + 23)\">"
          + "\(String(stage.name.prefix(18)).escapedForXML)</text></g>")
    }
    return (lines + ["</svg>"]).joined(separator: "\n")
  }
}

extension String {
  /// As text in XML.
  fileprivate var escapedForXML: String {
    var text = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "<": text += "&lt;"
      case ">": text += "&gt;"
      case "&": text += "&amp;"
      case "\"": text += "&quot;"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
