extension Insights {
  /// Whether less than 80 % of the workers' time went into items: MPIRE's efficiency warning.
  ///
  /// Where slots are places in a queue (``slotsAreQueuePlaces``) their waiting does not count: there are more of them than workers, so that one
  /// chunk waits behind each that runs.
  public var isInefficient: Bool { judged(total.times).workingRatio.map { $0 < 0.8 } ?? false }

  /// What of the time is the workers'.
  private func judged(_ times: Times) -> Times {
    var times = times
    if slotsAreQueuePlaces { times.waitingTime = Seconds() }
    return times
  }

  /// What could be done about that; nil where nothing needs to be.
  public var hint: String? {
    let total = total
    guard isInefficient, total.items + total.failed > 0 else { return nil }
    let times = judged(total.times)
    let starting = times.startUp + times.setUp
    let lost = total.restarts.crash + total.restarts.timeout
    // A third of all workers, or more, took the place of one that was lost: whatever the rest of the time is, it comes from that.
    if lost > 0, lost * 3 >= slots.count + total.restarts.total {
      return "\(lost) worker\(lost == 1 ? " was" : "s were") lost with what they were at: see the failures first"
    }
    if total.restarts.lifespan > slots.count, starting + times.tearDown >= times.waiting {
      return "most of the rest is start-up, set-up and tear-down: let workers live longer (MapOptions.lifespan)"
    }
    if starting >= times.waiting, starting >= times.tearDown {
      return "most of the rest is start-up and set-up: have fewer workers, or use the pool for more than one map"
    }
    if times.tearDown > times.waiting {
      return "most of the rest is tear-down: have fewer workers, or a longer lifespan"
    }
    if let first = longest.first, slots.count > 1, first.elapsed * 2 > elapsed {
      return "one item took more than half of the time while others waited: split it, or let it come first"
    }
    let perChunk = Double(total.items + total.failed) / Double(max(1, total.chunks))
    if items.mean * perChunk < .microseconds(200), perChunk < 64 {
      return "chunks take \(InsightsText.short(items.mean * perChunk)) each: let them be larger (MapOptions.chunking)"
    }
    return
      "workers wait for input, or for whoever takes the outputs: have fewer of them, a wider window, or a faster input"
  }
}
