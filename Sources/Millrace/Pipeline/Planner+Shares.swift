extension Planner {
  /// How many items of each of a merge's branches belong to one item of where they part; nil: that is not known before they run,
  /// or there is no such place.
  ///
  /// It is known as long as each stage makes one of one. Then what the branches give can be merged in turn, and is in order.
  static func shares(of merge: Int, in blueprint: Blueprint) -> [Int]? {
    let inputs = blueprint.stages[merge].inputs
    let rates = inputs.map { rate(of: $0, in: blueprint) }
    guard Set(inputs).count == inputs.count, Set(rates.map(\.root)).count == 1, !isChoice(rates[0].root, blueprint)
    else { return nil }
    return rates.map(\.count)
  }

  private static func isChoice(_ place: Int, _ blueprint: Blueprint) -> Bool {
    if case .choice = blueprint.stages[place].work { true } else { false }
  }

  /// How many items the stage gives for each of another before it.
  private static func rate(of place: Int, in blueprint: Blueprint) -> (root: Int, count: Int) {
    let stage = blueprint.stages[place]
    if stage.makesOneOfOne { return rate(of: stage.inputs[0], in: blueprint) }
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
