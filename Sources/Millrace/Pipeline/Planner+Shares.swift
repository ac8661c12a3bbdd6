extension Planner {
  /// The stages between where branches part and where they come together again: what is left out there is known to the join, so that
  /// nothing waits for it.
  static func placesThatMarkGaps(_ blueprint: Blueprint, _ ordered: Set<Int>, _ rates: Rates) -> Set<Int> {
    var places: Set<Int> = []
    for place in blueprint.stages.indices {
      let inputs = blueprint.stages[place].inputs
      let isKnown: Bool =
        switch blueprint.stages[place].work {
        case .join: rates.aligned.contains(place)
        case .merge: ordered.contains(place) && (rates.shares[place] != nil || rates.deals[place] != nil)
        case .inlet, .source, .worker, .elastic, .stage, .choice, .gather: false
        }
      guard isKnown else { continue }
      let root = rates.parting(of: place)
      // What is in another one's branches, too, is passed: they may be within these.
      var (next, seen) = (inputs, Set<Int>())
      while let before = next.popLast() {
        if before != root, seen.insert(before).inserted { next += blueprint.stages[before].inputs }
      }
      places.formUnion(seen)
    }
    return places
  }
}

/// How many items a stage gives for each of another before it, as far as that is known before they run.
///
/// It is known as long as each stage makes one of one, or says so where it makes none. Then what branches give can be put together by
/// the items that it was made of, and is in their order.
struct Rates {
  /// Where items are counted from.
  enum Root: Hashable {
    /// What the stage gives.
    case outputs(of: Int)
    /// What the stage gets of a choice: it is a branch of it.
    case branch(Int)
  }

  struct Rate: Hashable {
    let root: Root
    let count: Int
  }

  /// A choice whose branches come together in a merge, each with so many items for each of those that went into it.
  struct Deal {
    let choice: Int
    /// Of each of the merge's inputs the first stage of the branch.
    let heads: [Int]
    let shares: [Int]
  }

  /// Of a merge's inputs, how many items of each belong to one item of where they part.
  private(set) var shares: [Int: [Int]] = [:]
  private(set) var deals: [Int: Deal] = [:]
  /// Joins whose branches part at one place, and each give one of each item from there, or say that they do not.
  private(set) var aligned: Set<Int> = []
  private let blueprint: Blueprint
  private var rates: [Rate] = []
  /// Of each stage those that all of its items have come through, itself among them.
  private var before: [Set<Int>] = []

  init(_ blueprint: Blueprint) {
    self.blueprint = blueprint
    for (place, stage) in blueprint.stages.enumerated() {
      let all = stage.inputs.dropFirst().reduce(stage.inputs.first.map { before[$0] } ?? []) {
        $0.intersection(before[$1])
      }
      before.append(all.union([place]))
      rates.append(rate(of: place))
    }
  }

  /// The last place at which all of the stage's branches were one.
  func parting(of place: Int) -> Int? { before[place].subtracting([place]).max() }

  /// The rates of what the stage gets.
  func inputs(of place: Int) -> [Rate] {
    blueprint.stages[place].inputs.map { input in
      if case .choice = blueprint.stages[input].work { Rate(root: .branch(place), count: 1) } else { rates[input] }
    }
  }

  private mutating func rate(of place: Int) -> Rate {
    let (stage, own) = (blueprint.stages[place], Rate(root: .outputs(of: place), count: 1))
    if stage.makesOneAtMost { return inputs(of: place)[0] }
    switch stage.work {
    case .merge:
      let inputs = inputs(of: place)
      if let deal = deal(place, inputs) {
        deals[place] = deal
        let dealt = self.inputs(of: deal.choice)[0]
        guard Set(deal.shares).count == 1 else { return own }
        return Rate(root: dealt.root, count: dealt.count * deal.shares[0])
      }
      // It only hands on.
      if inputs.count == 1 { return inputs[0] }
      guard Set(stage.inputs).count == inputs.count, Set(inputs.map(\.root)).count == 1 else { return own }
      // Those of one item where they part: of what they are counted from it may be one of several.
      let each = parting(of: place).map { rates[$0] }.flatMap { $0.root == inputs[0].root ? $0.count : nil } ?? 1
      shares[place] = inputs.map { $0.count / each }
      return Rate(root: inputs[0].root, count: inputs.reduce(0) { $0 + $1.count })
    case .join:
      let inputs = inputs(of: place)
      guard Set(inputs).count == 1 else { return own }
      aligned.insert(place)
      return inputs[0]
    case .inlet, .source, .worker, .elastic, .stage, .choice, .gather: return own
    }
  }

  /// Whether all branches of one choice come together here, and nothing else.
  private func deal(_ place: Int, _ inputs: [Rate]) -> Deal? {
    var heads: [Int] = []
    for input in inputs {
      guard case .branch(let head) = input.root, head != place else { return nil }
      heads.append(head)
    }
    guard let first = heads.first else { return nil }
    let choice = blueprint.stages[first].inputs[0]
    guard Set(heads).count == heads.count, blueprint.readers(choice).count == heads.count,
      heads.allSatisfy({ blueprint.stages[$0].inputs == [choice] })
    else { return nil }
    return Deal(choice: choice, heads: heads, shares: inputs.map(\.count))
  }
}
