// When an edge is too narrow for the join that it leads to.

extension FlowMachine {
  /// Nothing runs, no source may read, every end is answered, and a consumer waits: then the narrowest full edge whose reader
  /// starves at another edge is doubled (after Parks, "Bounded Scheduling of Process Networks", 1995).
  ///
  /// Of several outputs one that nobody has begun to take of is widened in the same way. Where somebody takes, but not now, that is no
  /// standstill: the others wait until he asks for more.
  ///
  /// It is judged by what is, not by what an event has led to.
  mutating func diagnose() {
    guard !hasFinished, !isGivenUp, isQuiet, outputs.contains(where: { $0.wanted > 0 && !$0.hasEnded }) else { return }
    let blocking = outputs.indices.filter { output in
      let edge = edges[outputs[output].edge]
      return !outputs[output].hasEnded && outputs[output].wanted == 0 && edge.waiting >= edge.room
        && stations[edge.from].held > 0
    }
    if !blocking.isEmpty { return diagnose(blocking) }
    let full = edges.indices.filter { edge in
      stations[edges[edge].from].held > 0 && !edges[edge].isClosed && edges[edge].waiting >= edges[edge].room
        && edges[edge].to.map { !starving($0).isEmpty } ?? false
    }
    guard let narrow = full.min(by: { edges[$0].room < edges[$1].room }), let reader = edges[narrow].to else { return }
    let others = starving(reader).map { stations[edges[$0].from].name }.joined(separator: ", ")
    let because =
      "\(stations[reader].name) has \(edges[narrow].waiting) items from \(stations[edges[narrow].from].name) before it and waits for "
      + "\(others), which cannot go on before they are taken"
    let room = 2 * edges[narrow].room
    guard room <= maximumRoom else {
      actions.append(.standstill(edge: narrow, because: because))
      cancelled()
      return
    }
    edges[narrow].room = room
    actions.append(.widen(edge: narrow, to: room, because: because))
    advance()
  }

  private mutating func diagnose(_ blocking: [Int]) {
    guard blocking.allSatisfy({ !outputs[$0].hasBegun }) else { return }
    let narrow = blocking.min { edges[outputs[$0].edge].room < edges[outputs[$1].edge].room }!
    let edge = outputs[narrow].edge
    let room = 2 * edges[edge].room
    guard room <= maximumRoom else {
      if !outputs[narrow].isSaidToWait { actions.append(.unattended(output: narrow)) }
      outputs[narrow].isSaidToWait = true
      return
    }
    edges[edge].room = room
    let because =
      "\(edges[edge].waiting) items of \(stations[edges[edge].from].name) wait for the loop over output \(narrow + 1), which has not begun"
    actions.append(.widen(edge: edge, to: room, because: because))
    advance()
  }

  private var isQuiet: Bool {
    stations.allSatisfy { station in
      if station.hasEnded { return true }
      if station.running > 0 || station.isCancelled || station.hasBeenFedTheEnd { return false }
      // A source reads as long as what it has made has room.
      return !station.isSource || station.held > 0
    }
  }

  /// The edges at which the station waits for what does not come.
  private func starving(_ station: Int) -> [Int] {
    switch stations[station].intake {
    case .asItComes: return []
    case .asDealt:
      guard let next = stations[station].dealt.first?.edge else { return [] }
      return edges[next].waiting < edges[next].share && !edges[next].hasEnded ? [next] : []
    case .together: break
    }
    return stations[station].inputs.filter { edges[$0].waiting < edges[$0].share && !edges[$0].hasEnded && !isDry($0) }
  }

  /// Whether what is still to come through it is not enough for another item behind it: its reader is about to be told the end.
  private func isDry(_ edge: Int) -> Bool {
    let writer = stations[edges[edge].from]
    return writer.hasEnded && edges[edge].waiting + writer.held < edges[edge].share
  }
}
