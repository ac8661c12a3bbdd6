// What moves, and how ends travel.

extension FlowMachine {
  mutating func advance() {
    repeat {
      var hasMoved = false
      for station in stations.indices { if fill(station) { hasMoved = true } }
      for output in outputs.indices { if deliver(output) { hasMoved = true } }
      // Downstream first: who is fed there makes room above.
      for station in stations.indices.reversed() { if feed(station) { hasMoved = true } }
      if !hasMoved { break }
    } while true
    for output in outputs.indices where !outputs[output].hasEnded {
      let edge = edges[outputs[output].edge]
      if edge.isClosed || edge.hasEnded && edge.waiting == 0 {
        outputs[output].hasEnded = true
        actions.append(.end(output: output))
      }
    }
    if !hasFinished, stations.allSatisfy(\.hasEnded), outputs.allSatisfy(\.hasEnded) {
      hasFinished = true
      actions.append(.finished)
    }
    diagnose()
  }

  /// What the station has made goes into the edges behind it, as far as all of them have room; then its end.
  private mutating func fill(_ station: Int) -> Bool {
    var hasMoved = stations[station].sending == .one && distribute(station)
    let open = stations[station].outputs.filter { !edges[$0].isClosed }
    let count = stations[station].sending == .one ? 0 : min(stations[station].held, open.map(free).min() ?? .max)
    if count > 0 {
      stations[station].held -= count
      for edge in stations[station].outputs {
        edges[edge].waiting += count
        if edges[edge].isClosed { drop(edge) }
      }
      hasMoved = true
    }
    if stations[station].hasEnded, stations[station].held == 0 {
      for edge in stations[station].outputs where !edges[edge].hasEnded {
        edges[edge].hasEnded = true
        hasMoved = true
      }
    }
    return hasMoved
  }

  private mutating func deliver(_ output: Int) -> Bool {
    let edge = outputs[output].edge
    let count = min(outputs[output].wanted, edges[edge].waiting)
    guard count > 0, !outputs[output].hasEnded else { return false }
    outputs[output].wanted -= count
    actions.append(.deliver(output: output, count: count))
    take(count, from: edge)
    return true
  }

  private mutating func feed(_ station: Int) -> Bool {
    guard !stations[station].isSource, !stations[station].hasBeenFedTheEnd, !stations[station].hasEnded else {
      return false
    }
    switch stations[station].intake {
    case .asItComes: return takeAny(station)
    case .asDealt: return takeInTurn(station)
    case .together: break
    }
    let waiting = stations[station].inputs.map { edges[$0].waiting / edges[$0].share }.min()!
    // Who has no room for what it has made makes no more.
    let count = stations[station].held > 0 ? 0 : min(stations[station].demand, waiting)
    let isDry = stations[station].inputs.contains { edges[$0].hasEnded && edges[$0].waiting / edges[$0].share == count }
    if isDry {
      feedTheEnd(station, count)
    } else if count > 0 {
      actions.append(.feed(station: station, count: count, ended: false))
      hand(count, to: station)
    } else {
      return false
    }
    return true
  }

  private mutating func hand(_ count: Int, to station: Int) {
    stations[station].demand -= count
    stations[station].running += count
    for edge in stations[station].inputs { take(count * edges[edge].share, from: edge) }
  }

  /// The last items. What its other inputs still bring has no partner: it is let go, and so are those who make only that.
  mutating func feedTheEnd(_ station: Int, _ count: Int) {
    stations[station].hasBeenFedTheEnd = true
    actions.append(.feed(station: station, count: count, ended: true))
    hand(count, to: station)
    for edge in stations[station].inputs { close(edge) }
  }

  mutating func take(_ count: Int, from edge: Int) {
    edges[edge].waiting -= count
    edges[edge].taken += count
    release(edges[edge].from)
  }

  /// What all readers have taken leaves the station's window.
  private mutating func release(_ station: Int) {
    let each = stations[station].outputs.map { edges[$0].taken }
    let taken = stations[station].sending == .one ? each.reduce(0, +) : each.min()!
    guard taken > stations[station].released else { return }
    actions.append(.room(station: station, count: taken - stations[station].released))
    stations[station].released = taken
  }

  /// The edge's reader wants no more; if nobody else does either, its writer is cancelled, and what feeds only that.
  mutating func close(_ edge: Int) {
    guard !edges[edge].isClosed else { return }
    edges[edge].isClosed = true
    drop(edge)
    let writer = edges[edge].from
    if stations[writer].outputs.allSatisfy({ edges[$0].isClosed }) { cancel(writer) }
  }

  mutating func drop(_ edge: Int) {
    let count = edges[edge].waiting
    guard count > 0 else { return }
    actions.append(.drop(edge: edge, count: count))
    take(count, from: edge)
  }

  mutating func cancel(_ station: Int) {
    guard !stations[station].isCancelled, !stations[station].hasEnded else { return }
    stations[station].isCancelled = true
    stations[station].hasBeenFedTheEnd = true
    actions.append(.cancel(station: station))
    for edge in stations[station].inputs { close(edge) }
  }
}
