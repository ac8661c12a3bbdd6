/// What runs as one job: a stage, or several neighbours whose items go through all of them at once.
package struct Station: Hashable, Sendable {
  /// How it runs.
  package enum Kind: Hashable, Sendable {
    /// A source, in a task of its own.
    case source
    /// In any slot, several items at once.
    case elastic
    /// One instance, in whichever slot is free.
    case floating
    /// Nothing runs: items are sent on, merged or put together.
    case wiring
  }

  package let kind: Kind
  /// Its stages, as places in the blueprint, in the order of the data.
  package let stages: [Int]
  /// The stations that it reads from.
  package let inputs: [Int]
  /// How many slots of its own it has; nil: those of the pipeline.
  package let width: Int?
  /// Whether it gives its items in the order in which they came.
  package let isOrdered: Bool
  /// Whether it says of an item that it leaves out that it does: something behind it puts those of one item together.
  let marksGaps: Bool
}

/// Decides which stages of a pipeline run together, and where. A pure function.
///
/// Neighbours are one station if both may run in any slot, in the same group, the first has no other reader, and nobody asks for an order
/// between the two. A station gives its items in order only if something behind it needs that: the output, a stage that sees its
/// items in order, or a join.
package enum Planner {
  /// - Parameter order: in which order the output comes.
  package static func stations(
    of blueprint: Blueprint, order: MapOptions.Order = .input
  ) -> [Station] {
    var stationOf: [Int: Int] = [:]
    var members: [[Int]] = []
    for place in blueprint.stages.indices {
      if let before = blueprint.stages[place].inputs.first, canFuse(before, place, blueprint) {
        let station = stationOf[before]!
        members[station].append(place)
        stationOf[place] = station
      } else {
        stationOf[place] = members.count
        members.append([place])
      }
    }
    let needsOrder = placesThatGiveOrder(blueprint, order)
    let marking = placesThatMarkGaps(blueprint, needsOrder, Rates(blueprint))
    return members.map { stages in
      let first = blueprint.stages[stages[0]]
      return Station(
        kind: kind(first), stages: stages, inputs: first.inputs.map { stationOf[$0]! }, width: first.width,
        isOrdered: needsOrder.contains(stages.last!), marksGaps: marking.contains(stages.last!))
    }
  }

  private static func kind(_ stage: Blueprint.Stage) -> Station.Kind {
    switch stage.work {
    case .source: .source
    case .inlet, .choice, .gather, .merge, .join: .wiring
    case .worker, .elastic: stage.options.order == .input && stage.width == 1 ? .floating : .elastic
    case .stage: (stage.width ?? 1) > 1 ? .elastic : .floating
    }
  }

  private static func canFuse(_ before: Int, _ after: Int, _ blueprint: Blueprint) -> Bool {
    let (first, second) = (blueprint.stages[before], blueprint.stages[after])
    return first.isElastic && second.isElastic && kind(first) == kind(second) && first.group == second.group
      && !first.makesSeveral && second.inputs.count == 1 && blueprint.readers(before).count == 1
      && !blueprint.outputs.contains(before)
  }

  /// The stages whose items somebody behind them needs in order. A stage hands that on to those before it: it can keep an order, not
  /// make one.
  private static func placesThatGiveOrder(_ blueprint: Blueprint, _ order: MapOptions.Order) -> Set<Int> {
    var places: Set<Int> = order == .input ? Set(blueprint.outputs) : []
    for place in blueprint.stages.indices.reversed() {
      let stage = blueprint.stages[place]
      let asks: Bool =
        switch stage.work {
        case .stage, .gather, .join: true
        case .inlet, .source: false
        case .worker, .elastic, .choice, .merge: places.contains(place) || stage.options.order == .input
        }
      if asks { places.formUnion(stage.inputs) }
    }
    return places
  }
}
