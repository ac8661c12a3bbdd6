/// How many items a pipeline may hold at once: in the windows of its stations, in the edges between them, and in the hands of whoever
/// takes its outputs. A pure function.
///
/// An array of a batch counts as the items in it, and a row of a join as its parts. A station that runs nothing takes all that the one
/// before it has ready, and makes nothing more of it.
struct Bound {
  /// A number of items; nil: there is no bound.
  struct Most {
    var count: Int?

    init(_ count: Int?) { self.count = count == .max ? nil : count }

    static func + (first: Most, second: Most) -> Most {
      guard let one = first.count, let other = second.count else { return Most(nil) }
      let (sum, isTooLarge) = one.addingReportingOverflow(other)
      return Most(isTooLarge ? nil : sum)
    }

    static func * (first: Most, second: Most) -> Most {
      guard let one = first.count, let other = second.count else { return Most(nil) }
      let (product, isTooLarge) = one.multipliedReportingOverflow(by: other)
      return Most(isTooLarge ? nil : product)
    }

    static func sum(_ parts: some Sequence<Most>) -> Most { parts.reduce(Most(0), +) }
  }

  /// What a station may have ready for those behind it: so many, each as much as so many items.
  private struct Ready {
    var count: Most
    var weight: Most
  }

  /// The most that may be at each of the stations; those that have none are read by who reads from them.
  private(set) var ofStations: [Int: Most] = [:]
  /// All of it.
  private(set) var total = Most(0)
  /// What makes it that there is no bound, a sentence each.
  private(set) var reasons: [String] = []

  private let blueprint: Blueprint
  private let stations: [Station]
  private let pool: WorkerPool?
  private let rates: Rates
  private var ready: [Ready] = []

  /// - Parameter pool: where stages run that have no backend or width of their own; nil: threads, one for each usable CPU.
  init(_ blueprint: Blueprint, _ stations: [Station], on pool: WorkerPool?) {
    (self.blueprint, self.stations, self.pool) = (blueprint, stations, pool)
    rates = Rates(blueprint)
    for number in stations.indices { add(number) }
    for output in blueprint.outputs {
      let last = ready[stations.firstIndex { $0.stages.last == output }!]
      // What waits for the consumer, and what he was handed of it and of what was ready then. Of several one may not have begun.
      let room = blueprint.outputs.count > 1 ? Most(FlowMachine.maximumRoom) : Self.room
      total = total + (room + room + last.count) * last.weight
    }
  }

  /// The sum, or why there is none.
  var sentence: String {
    if let count = total.count { return "at most \(count) items at once, edges included" }
    return "no bound on items: " + (reasons.isEmpty ? "more than can be counted" : reasons.joined(separator: "; "))
  }

  private static var room: Most { Most(PipelineEngine.room) }

  private mutating func add(_ number: Int) {
    if stations.isReadByItsReader(number, in: blueprint) { return ready.append(Ready(count: Most(0), weight: Most(1))) }
    let station = stations[number]
    let stage = blueprint.stages[station.stages[0]]
    let writers = station.inputs.filter { !stations.isReadByItsReader($0, in: blueprint) }
    let (held, made): (Most, Ready) =
      switch stage.work {
      case .inlet, .source, .worker, .elastic, .stage: job(station, writers)
      case .gather(let gathering): gather(gathering, stage.name, writers[0])
      case .choice: passedOn(writers[0])
      case .merge where writers.count == 1: passedOn(writers[0])
      case .merge: together(station, writers, isJoin: false)
      case .join: together(station, writers, isJoin: true)
      }
    ofStations[number] = held
    ready.append(made)
    total = Most.sum([total, held] + edges(station, writers).map { $0.room * $0.weight })
  }

  /// The edges before a station: how many items each has room for, and how much each of those is.
  private func edges(_ station: Station, _ writers: [Int]) -> [(room: Most, weight: Most)] {
    let place = station.stages[0]
    let shares = station.isOrdered ? rates.shares[place] ?? rates.deals[place]?.shares : nil
    // Where it is not known what belongs together, a join may have to have its edges widened.
    let isWidened: Bool =
      if case .join = blueprint.stages[place].work { writers.count > 1 && !rates.aligned.contains(place) } else {
        false
      }
    return writers.enumerated().map { branch, writer in
      let room = max(PipelineEngine.room, shares?[branch] ?? 1)
      return (Most(isWidened ? FlowMachine.maximumRoom : room), ready[writer].weight)
    }
  }

  // MARK: Where something runs

  private mutating func job(_ station: Station, _ writers: [Int]) -> (held: Most, made: Ready) {
    let (last, weight) = (blueprint.stages[station.stages.last!], writers.first.map { ready[$0].weight } ?? Most(1))
    let width = width(of: station)
    let window = window(of: station, width)
    if window.count == nil { note(station, "has a window of chunks, or of more items than can be counted") }
    switch last.work {
    case .elastic(let stage) where stage is any ManyResults: return puttingAny(station, weight)
    case .stage(let stage) where stage is any OneOfOne: break
    case .stage(let stage):
      guard let keeping = stage as? any KeepingStage else { return puttingAny(station, weight) }
      let kept = Most(keeping.mostKept) * width
      if kept.count == nil { note(station, "keeps what has no number of items") }
      if kept.count != 0, last.options.lifespan.map({ $0 != MapOptions.Lifespan() }) ?? false {
        note(station, "has a lifespan: what its workers have kept waits for its end")
        return (Most(nil), Ready(count: Most(nil), weight: weight))
      }
      let made = weight * Most(keeping.mostTogether)
      return (window * made + kept * weight, Ready(count: window, weight: made))
    default: break
    }
    return (window * weight, Ready(count: window, weight: weight))
  }

  private mutating func puttingAny(_ station: Station, _ weight: Most) -> (held: Most, made: Ready) {
    note(station, "may make any number of an item")
    return (Most(nil), Ready(count: Most(nil), weight: weight))
  }

  private mutating func note(_ station: Station, _ sentence: String) {
    reasons.append("\(blueprint.stages[station.stages.last!].name) \(sentence)")
  }

  private func window(of station: Station, _ width: Most) -> Most {
    switch (blueprint.stages[station.stages[0]].options.window ?? .automatic).kind {
    case .automatic: return Most(Dispatcher.mostAhead) * width
    case .items(let count): return Most(count)
    case .perWorker(let count): return Most(width.count.map { Int(atMost: count * Double($0)) })
    case .chunks: return Most(nil)
    }
  }

  private func width(of station: Station) -> Most {
    let stage = blueprint.stages[station.stages[0]]
    switch (station.kind, stage.work) {
    case (_, .inlet), (_, .source), (.floating, _): return Most(1)
    default: break
    }
    if let width = station.width {
      guard let balance = stage.options.balance else { return Most(width) }
      // They lend each other what they have together.
      let widths = stations.map { other in
        blueprint.stages[other.stages[0]].options.balance === balance ? other.width ?? 0 : 0
      }
      return Most(max(balance.cpus, widths.reduce(0, +)))
    }
    if let backend = stage.options.backend { return Most(backend.width ?? WorkerPool.usableCPUs) }
    return Most(pool?.width ?? WorkerPool.usableCPUs)
  }

  // MARK: Where nothing runs

  /// All that the writer has ready goes there as soon as there is nothing.
  private func passedOn(_ writer: Int) -> (held: Most, made: Ready) {
    let count = Self.room + ready[writer].count
    return (count * ready[writer].weight, Ready(count: count, weight: ready[writer].weight))
  }

  private mutating func gather(
    _ gathering: any AnyGathering, _ name: String, _ writer: Int
  ) -> (held: Most, made: Ready) {
    let (size, weight) = (Most(gathering.mostTogether), ready[writer].weight)
    if size.count == nil { reasons.append("\(name) keeps what has no number of items") }
    let count = Self.room + ready[writer].count
    return ((count + size) * weight, Ready(count: count + Most(1), weight: size * weight))
  }

  private func together(_ station: Station, _ writers: [Int], isJoin: Bool) -> (held: Most, made: Ready) {
    let edges = edges(station, writers)
    let held = Most.sum(edges.map { $0.room * $0.weight })
    let weights = edges.map(\.weight)
    let largest = weights.contains { $0.count == nil } ? Most(nil) : Most(weights.compactMap(\.count).max() ?? 0)
    let rooms = Most.sum(edges.map(\.room))
    return (held, Ready(count: rooms, weight: isJoin ? Most.sum(weights) : largest))
  }
}

/// A stage of which it is known how many items it keeps, and that it makes no more of an item than one.
protocol KeepingStage {
  /// How many items an instance keeps at the most; nil: any number.
  var mostKept: Int? { get }
  /// How many items one that it makes has in it at the most.
  var mostTogether: Int? { get }
}

extension KeepingStage {
  var mostTogether: Int? { 1 }
}

extension Takes: KeepingStage {
  var mostKept: Int? { 0 }
}

extension Sort: KeepingStage {
  var mostKept: Int? { window }
}

extension Batches: KeepingStage {
  var mostKept: Int? { rule.size.map { $0 - 1 } }
  var mostTogether: Int? { rule.size }
}

extension [Station] {
  /// Whether it is a source, or the pipeline's input, that one job reads and nothing else.
  func isReadByItsReader(_ number: Int, in blueprint: Blueprint) -> Bool {
    switch blueprint.stages[self[number].stages[0]].work {
    case .inlet, .source: break
    case .worker, .elastic, .stage, .choice, .gather, .merge, .join: return false
    }
    let readers = filter { $0.inputs.contains(number) }
    let isOutput = blueprint.outputs.contains(self[number].stages.last!)
    return !isOutput && readers.count == 1 && readers[0].inputs.count == 1 && readers[0].kind != .wiring
  }
}
