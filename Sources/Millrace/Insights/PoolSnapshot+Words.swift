extension PoolSnapshot {
  /// A letter for each slot, as vimap has them.
  package var stateLine: String {
    String(slots.filter { $0.level == 0 && ($0.state != .closed || hasStopped) }.map { Character($0.letter) })
  }

  /// The pool in words.
  package var words: String {
    var lines = ["\(width) slot\(width == 1 ? "" : "s")\(ending), \(jobs.count) map\(jobs.count == 1 ? "" : "s")"]
    for (number, slot) in slots.enumerated() where slot.state != .closed {
      lines.append("  slot \(number)\(slot.level > 0 ? " (spare)" : ""): \(slot.words(at: time))")
    }
    for (id, job) in jobs.sorted(by: { $0.key < $1.key }) {
      let total = job.total.map { " of \($0)" } ?? ""
      var text = "  map \(id.value): \(job.counts.done + job.counts.failed)\(total) items finished"
      if job.counts.failed > 0 { text += ", \(job.counts.failed) failed" }
      if job.counts.retried > 0 { text += ", \(job.counts.retried) attempts made again" }
      lines.append(text + "; \(job.running) at slots, \(job.queued) wait")
    }
    return lines.joined(separator: "\n")
  }

  private var ending: String {
    if hasStopped { return ", stopped" }
    switch closing {
    case .shutDown: return ", shutting down"
    case .drained: return ", draining"
    case .terminated: return ", being terminated"
    case nil: return ""
    }
  }
}

extension PoolSnapshot.Slot {
  fileprivate var letter: String {
    switch state {
    case .empty: generation == 0 ? "." : "X"
    case .starting, .settingUp: "."
    case .idle: "i"
    case .working: "R"
    case .tearingDown, .ending, .closed: "$"
    case .killed: "X"
    }
  }

  fileprivate func words(at time: UInt64) -> String {
    switch state {
    case .closed: return "closed"
    case .empty: return generation == 0 ? "no worker yet" : "no worker"
    case .starting: return "its worker starts"
    case .idle: return "waits for work"
    case .settingUp: return "is set up"
    case .tearingDown: return "is torn down"
    case .ending: return "ends"
    case .killed: return "is being ended"
    case .working: break
    }
    guard let first = work.first else { return "works" }
    let count = work.reduce(0) { $0 + $1.items.count }
    let age = since.map { ", for \(InsightsText.short(.nanoseconds(time > $0 ? time - $0 : 0)))" } ?? ""
    let attempt = first.attempt > 1 ? ", attempt \(first.attempt)" : ""
    return "works on item \(first.items.lowerBound) of map \(first.job.value)\(attempt)\(age); \(count) items there"
  }
}
