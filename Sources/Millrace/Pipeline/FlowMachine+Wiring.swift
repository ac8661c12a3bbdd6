// Stations that take from several edges as it comes, or give each item to one of several, and what an edge has room for.

extension FlowMachine {
  /// How many items may be put into the edge: so many may wait, beside those that its reader takes at once.
  func free(_ edge: Int) -> Int { max(0, edges[edge].room - edges[edge].waiting) + appetite(edge) }

  /// How many items the edge's reader would take now, if they were there.
  private func appetite(_ edge: Int) -> Int {
    guard let reader = edges[edge].to else {
      let output = outputs.first { $0.edge == edge }
      return max(0, (output?.wanted ?? 0) - edges[edge].waiting)
    }
    let station = stations[reader]
    guard station.inputs.count == 1, station.held == 0, !station.hasBeenFedTheEnd, !station.hasEnded else { return 0 }
    return max(0, station.demand - edges[edge].waiting)
  }

  /// Hands what the station has made to whichever of its edges has room, in even parts.
  mutating func distribute(_ station: Int) -> Bool {
    var hasMoved = false
    while stations[station].held > 0 {
      let open = stations[station].outputs.filter { !edges[$0].isClosed }
      let held = stations[station].held
      // What nobody wants goes the way of all that nobody wants.
      let isWanted = !open.isEmpty
      let edge = open.max { free($0) < free($1) } ?? stations[station].outputs[0]
      let count = isWanted ? min(free(edge), max(1, held / open.count)) : held
      guard count > 0 else { return hasMoved }
      stations[station].held -= count
      edges[edge].waiting += count
      actions.append(.send(edge: edge, count: count))
      if !isWanted { drop(edge) }
      hasMoved = true
      noteDeal(station, edge, count)
    }
    return hasMoved
  }

  private mutating func noteDeal(_ station: Int, _ edge: Int, _ count: Int) {
    guard let collector = stations[station].collector, let lane = stations[collector].lanes[edge] else { return }
    stations[collector].dealt.append(Dealt(edge: lane, count: count))
  }

  /// Takes from its edges in the order in which items were dealt to the branches before them.
  mutating func takeInTurn(_ station: Int) -> Bool {
    var hasMoved = false
    while stations[station].held == 0, var next = stations[station].dealt.popFirst() {
      let share = edges[next.edge].share
      let count = min(next.count, min(stations[station].demand, edges[next.edge].waiting) / share)
      guard count > 0 else {
        // Its branch was stopped: what it has not made it never will.
        if edges[next.edge].hasEnded, edges[next.edge].waiting < share {
          hasMoved = true
          continue
        }
        stations[station].dealt.prepend(next)
        break
      }
      actions.append(.take(edge: next.edge, count: count * share))
      stations[station].demand -= count * share
      stations[station].running += count * share
      take(count * share, from: next.edge)
      next.count -= count
      if next.count > 0 { stations[station].dealt.prepend(next) }
      hasMoved = true
    }
    if stations[station].dealt.first == nil, stations[station].inputs.allSatisfy({ edges[$0].hasEnded }) {
      feedTheEnd(station, 0)
      hasMoved = true
    }
    return hasMoved
  }

  /// Takes from each edge what is there; the end comes behind the last of them.
  mutating func takeAny(_ station: Int) -> Bool {
    var hasMoved = false
    for edge in stations[station].inputs where stations[station].held == 0 {
      let count = min(stations[station].demand, edges[edge].waiting)
      guard count > 0 else { continue }
      actions.append(.take(edge: edge, count: count))
      stations[station].demand -= count
      stations[station].running += count
      take(count, from: edge)
      hasMoved = true
    }
    if stations[station].inputs.allSatisfy({ edges[$0].hasEnded && edges[$0].waiting == 0 }) {
      feedTheEnd(station, 0)
      hasMoved = true
    }
    return hasMoved
  }
}
