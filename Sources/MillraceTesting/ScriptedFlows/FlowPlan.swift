import Millrace

/// What a seed says about the world of a ``FlowSimulation``: the graph, the edges, and what goes wrong.
struct FlowPlan {
  enum Kind {
    case source(Int)
    case map
    case filter(Int)
    case batch(Int)
    case flatMap(Int)
    /// Takes so many items of each of its inputs for each of its own.
    case join([Int])
    /// Hands on what comes, from each input as it comes.
    case merge
    /// Hands each item to one of those behind it.
    case choice
  }

  var kinds: [Kind] = []
  var inputs: [[Int]] = []
  /// The stations that consumers take from.
  var outputs: [Int] = []
  var room = 1
  var maximumRoom = 65_536
  /// How many items a station's job takes at once.
  var window = 4
  /// How many items a consumer wants at a time.
  var appetite = 1
  /// At which step something happens, and to which station.
  var stops: [(step: Int, station: Int)] = []
  var fails: (step: Int, station: Int)?
  var isCancelledAt: Int?
  /// At which step the consumer of an output leaves.
  var leaves: (step: Int, output: Int)?
  /// Outputs of which nobody takes before nothing else goes on.
  var late: [Int] = []

  init(seed: UInt64) {
    var random = SimulatedRandom(seed: seed)
    room = random.within(1...8)
    if random.chance(10) { maximumRoom = room }
    window = random.within(1...6)
    appetite = random.one(of: [1, 1, 3, 1_000])
    makeGraph(&random)
    if random.chance(30) {
      for _ in 0..<random.within(1...2) { stops.append((step: random.below(150), station: random.below(kinds.count))) }
    }
    if random.chance(8) { fails = (random.below(150), random.below(kinds.count)) }
    if random.chance(8) { isCancelledAt = random.below(150) }
    if random.chance(15) { leaves = (random.below(100), random.below(outputs.count)) }
    if outputs.count > 1, random.chance(40) {
      late = outputs.indices.shuffled(using: &random).prefix(random.within(1...outputs.count - 1)).sorted()
    }
  }

  private mutating func makeGraph(_ random: inout SimulatedRandom) {
    /// Stations from which nobody reads yet.
    var open: [Int] = []
    for _ in 0..<random.one(of: [1, 1, 1, 2, 3]) { open.append(add(.source(random.within(0...60)), [])) }
    let joins = random.chance(66)
    for _ in 0..<random.within(0...7) {
      if joins, open.count >= 2, random.chance(50) {
        let sides = Array(open.shuffled(using: &random).prefix(random.within(2...3)))
        open.removeAll(where: sides.contains)
        let isMerge = random.chance(25)
        let shares = sides.map { _ in random.chance(20) ? random.within(1...3) : 1 }
        open.append(add(isMerge ? .merge : .join(shares), sides))
        continue
      }
      if random.chance(15) {
        // One reads each item: what belongs together does not come of it.
        let from = random.one(of: open)
        open.removeAll { $0 == from }
        let choice = add(.choice, [from])
        let branches = (0..<random.within(1...3)).map { _ in add(random.chance(50) ? .map : .filter(2), [choice]) }
        open.append(branches.count == 1 ? branches[0] : add(.merge, branches))
        continue
      }
      let kind: Kind = random.one(of: [
        .map, .filter(random.within(2...9)), .batch(random.within(2...12)), .flatMap(random.within(0...3)),
      ])
      // Behind what is open, or beside what reads already: a fork.
      var from = random.chance(70) ? random.one(of: open) : random.below(kinds.count)
      if case .choice = kinds[from] { from = random.one(of: open) }
      open.removeAll { $0 == from }
      open.append(add(kind, [from]))
    }
    if joins { while open.count > 1, random.chance(80) { open = [add(.join(open.map { _ in 1 }), open)] } }
    outputs = open
  }

  private mutating func add(_ kind: Kind, _ inputs: [Int]) -> Int {
    kinds.append(kind)
    self.inputs.append(inputs)
    return kinds.count - 1
  }

  func isMerge(_ station: Int) -> Bool { if case .merge = kinds[station] { true } else { false } }
  /// The choice whose branches come together here, and make one of one: what comes here comes in the order in which it was dealt.
  func dealer(of station: Int) -> Int? {
    guard isMerge(station), let first = inputs[station].first, let choice = inputs[first].first else { return nil }
    let isDealt = inputs[station].allSatisfy { if case .map = kinds[$0] { inputs[$0] == [choice] } else { false } }
    return isDealt && isChoice(choice) && inputs[station].count == readers(choice).count ? choice : nil
  }

  func isChoice(_ station: Int) -> Bool { if case .choice = kinds[station] { true } else { false } }

  /// How many items of an input's belong to one of the station's.
  func share(of input: Int, at station: Int) -> Int {
    guard kinds.indices.contains(station), case .join(let shares) = kinds[station] else { return 1 }
    return shares[inputs[station].firstIndex(of: input)!]
  }

  var isJoining: Bool { inputs.contains { $0.count > 1 } }

  func readers(_ station: Int) -> [Int] { inputs.indices.filter { inputs[$0].contains(station) } }

  /// How many items the station has made of so many; `ended`: with what its tear-down puts.
  func made(_ station: Int, of used: Int, ended: Bool) -> Int {
    switch kinds[station] {
    case .source(let count): count
    case .map, .join, .merge, .choice: used
    case .filter(let modulus): used / modulus
    case .batch(let size): ended ? (used + size - 1) / size : used / size
    case .flatMap(let factor): used * factor
    }
  }

  var machine: FlowMachine {
    var machine = FlowMachine(maximumRoom: maximumRoom)
    for station in kinds.indices {
      _ = machine.addStation(
        "s\(station)", takes: dealer(of: station) != nil ? .asDealt : isMerge(station) ? .asItComes : .together,
        gives: isChoice(station) ? .one : .all)
    }
    var edges: [(from: Int, to: Int)] = []
    for station in kinds.indices {
      for input in inputs[station] {
        machine.connect(input, to: station, room: room, share: share(of: input, at: station))
        edges.append((input, station))
      }
    }
    for station in kinds.indices {
      guard let choice = dealer(of: station) else { continue }
      let lanes = inputs[station].map { branch in
        (
          dealt: edges.firstIndex { $0 == (choice, branch) }!, input: edges.firstIndex { $0 == (branch, station) }!
        )
      }
      machine.collect(at: station, what: choice, deals: lanes)
    }
    for (output, station) in outputs.enumerated() {
      _ = machine.addOutput(station, room: room, hasBegun: !late.contains(output))
    }
    return machine
  }
}
