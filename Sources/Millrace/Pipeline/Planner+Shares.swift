extension Planner {
  /// How many items of each of a merge's branches belong to one item of where they part; nil: that is not known before they run,
  /// or there is no such place.
  ///
  /// It is known as long as each stage makes one of one, or says so where it makes none. Then what the branches give can be merged in
  /// turn, and is in order.
  static func shares(of merge: Int, in blueprint: Blueprint) -> [Int]? {
    let inputs = blueprint.stages[merge].inputs
    let rates = inputs.map { rate(of: $0, in: blueprint) }
    guard Set(inputs).count == inputs.count, Set(rates.map(\.root)).count == 1, !isChoice(rates[0].root, blueprint)
    else { return nil }
    return rates.map(\.count)
  }

  /// Whether the join's branches part at one place, and each gives one of each item from there, or says that it does not.
  static func isAligned(_ join: Int, in blueprint: Blueprint) -> Bool {
    let rates = blueprint.stages[join].inputs.map { rate(of: $0, in: blueprint) }
    return rates.allSatisfy { $0.root == rates[0].root && $0.count == rates[0].count }
      && !isChoice(rates[0].root, blueprint)
  }

  /// The stages between where branches part and where they come together again: what is left out there is known to the join, so that
  /// nothing waits for it.
  static func placesThatMarkGaps(_ blueprint: Blueprint, _ ordered: Set<Int>) -> Set<Int> {
    var places: Set<Int> = []
    for place in blueprint.stages.indices {
      let isKnown: Bool =
        switch blueprint.stages[place].work {
        case .join: isAligned(place, in: blueprint)
        case .merge: ordered.contains(place) && shares(of: place, in: blueprint) != nil
        case .inlet, .source, .worker, .elastic, .stage, .choice, .gather: false
        }
      guard isKnown else { continue }
      let root = parting(of: blueprint.stages[place].inputs, in: blueprint)
      var next = blueprint.stages[place].inputs
      while let before = next.popLast() {
        if before != root, places.insert(before).inserted { next += blueprint.stages[before].inputs }
      }
    }
    return places
  }

  /// The last place at which all of the branches were one.
  private static func parting(of branches: [Int], in blueprint: Blueprint) -> Int {
    func line(_ place: Int) -> [Int] {
      let stage = blueprint.stages[place]
      return stage.makesOneAtMost ? [place] + line(stage.inputs[0]) : [place]
    }
    let lines = branches.map { Set(line($0)) }
    return line(branches[0]).first { place in lines.allSatisfy { $0.contains(place) } }
      ?? rate(of: branches[0], in: blueprint).root
  }

  private static func isChoice(_ place: Int, _ blueprint: Blueprint) -> Bool {
    if case .choice = blueprint.stages[place].work { true } else { false }
  }

  /// How many items the stage gives for each of another before it.
  private static func rate(of place: Int, in blueprint: Blueprint) -> (root: Int, count: Int) {
    let stage = blueprint.stages[place]
    if stage.makesOneAtMost { return rate(of: stage.inputs[0], in: blueprint) }
    switch stage.work {
    case .merge:
      guard let shares = shares(of: place, in: blueprint) else { return (place, 1) }
      return (rate(of: stage.inputs[0], in: blueprint).root, shares.reduce(0, +))
    case .join:
      let rates = stage.inputs.map { rate(of: $0, in: blueprint) }
      let isOne = rates.allSatisfy { $0.root == rates[0].root && $0.count == rates[0].count }
      return isOne ? rates[0] : (place, 1)
    case .inlet, .source, .worker, .elastic, .stage, .choice, .gather: return (place, 1)
    }
  }
}
