extension Insights: CustomStringConvertible {
  /// A table of at most 80 columns, what items took, and what could be done.
  public var description: String {
    guard !isEmpty else { return "no insights: nothing was recorded (WorkerPool.recordInsights())" }
    let most = 32
    var lines = ["Insights of \(slots.count) slot\(slots.count == 1 ? "" : "s") after \(InsightsText.format(elapsed))"]
    lines.append(
      Self.row("slot", ["items", "start-up", "set-up", "waiting", "working", "tear-down", "again"]))
    lines += slots.prefix(most).map { Self.row("\($0.slot ?? 0)", Self.cells(of: $0)) }
    if slots.count > most { lines.append("  ... and \(slots.count - most) more") }
    let total = total
    lines.append(Self.row("all", Self.cells(of: total)))
    if let ratios {
      let parts = [ratios.startUp, ratios.setUp, ratios.waiting, ratios.working, ratios.tearDown]
      lines.append(Self.row("%", [""] + parts.map { ProgressText.decimal($0 * 100, places: 1) } + [""]))
    }
    if slots.count > 1 {
      for (name, times) in [("mean", mean), ("dev", deviation)] {
        lines.append(Self.row(name, [""] + Self.cells(of: times) + [""]))
      }
    }
    lines += more(total)
    return lines.joined(separator: "\n")
  }

  private func more(_ total: Slot) -> [String] {
    var lines: [String] = []
    if items.count > 0 {
      let parts = [
        ("mean", items.mean), ("deviation", items.deviation), ("p50", items.p50), ("p90", items.p90),
        ("p99", items.p99),
      ]
      lines.append("an item: " + parts.map { "\($0) \(InsightsText.short($1))" }.joined(separator: ", "))
    }
    for item in longest {
      let what =
        item.indices.count == 1
        ? "item \(item.indices.lowerBound)"
        : "items \(item.indices.lowerBound) to \(item.indices.upperBound - 1), in the mean"
      let input = item.input.map { ": " + $0.withoutControls } ?? ""
      lines.append(
        "longest: \(InsightsText.short(item.elapsed)), \(what) of map \(item.map), in slot \(item.slot)\(input)")
    }
    if total.failed + total.retried > 0 {
      lines.append("\(total.failed) items failed, \(total.retried) attempts were made again")
    }
    if total.restarts.total > 0 {
      let causes = [
        (total.restarts.lifespan, "for its lifespan"), (total.restarts.crash, "after a crash"),
        (total.restarts.timeout, "after a timeout"), (total.restarts.other, "else"),
      ]
      lines.append("begun again: " + causes.filter { $0.0 > 0 }.map { "\($0) \($1)" }.joined(separator: ", "))
    }
    let sizes = [("sent", total.bytesIn), ("received", total.bytesOut), ("resident at most", total.peakMemory)]
      .compactMap { name, bytes in bytes.map { "\(name) \(ProgressText.number(Double($0)))B" } }
    if !sizes.isEmpty { lines.append("bytes: " + sizes.joined(separator: ", ")) }
    if isInefficient { lines.append("Efficiency warning: working ratio is < 80%!") }
    if let hint { lines.append("Hint: \(hint)") }
    return lines.flatMap(Self.wrapped)
  }

  /// In lines of at most 80 columns.
  private static func wrapped(_ text: String) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
      if lines[lines.count - 1].count + word.count >= 80 { lines.append(" ") }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
    }
    return lines
  }

  private static func cells(of slot: Slot) -> [String] {
    ["\(slot.items)"] + cells(of: slot.times) + ["\(slot.restarts.total)"]
  }

  private static func cells(of times: Times) -> [String] { times.all.map { InsightsText.column($0.duration) } }

  /// 4 + 10 + 5 * 12 + 6 columns.
  private static func row(_ name: String, _ cells: [String]) -> String {
    let widths = [10, 12, 12, 12, 12, 12, 6]
    var text = right(name, 4)
    for (cell, width) in zip(cells, widths) { text += right(cell, width) }
    while text.last == " " { text.removeLast() }
    return text
  }

  private static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
