import Millrace

/// Plays the ``FlowMachine`` through one schedule: random graphs of maps, filters, batches, flat maps, forks and joins, edges of
/// one to eight items, stages that stop, stations that fail, cancellations, slow consumers and consumers who leave.
///
/// What the machine says is counted by the simulation, which knows what every station makes of what it was fed. When nothing more
/// will happen, nobody waits, and what was not given up has come out whole.
package final class FlowSimulation {
  package struct Outcome {
    package let seed: UInt64
    /// What was broken; nil: nothing.
    package let problem: String?
    package let steps: Int
    package let widenings: Int
    package let hasStoodStill: Bool
    package let trace: [String]
  }

  struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  private enum Event {
    case work(Int)
    case tearDown(Int)
    case want(Int)
    case stop(Int)
    case fail(Int)
    case cancel
    case leave(Int)
  }

  /// A station's job, as the world has it.
  private struct Job {
    var demand = 0
    var pending = 0
    /// What it was fed, what it has answered, and what it has made of that.
    var fed = 0
    var used = 0
    var made = 0
    /// What has left its window.
    var released = 0
    var isLast = false
    var isCancelled = false
    var hasEnded = false
  }

  /// What a reader of a station has had of it, be it to drop it.
  private struct Reading {
    var had = 0
  }

  private let seed: UInt64
  private let plan: FlowPlan
  private var random: SimulatedRandom
  private var machine: FlowMachine
  private var jobs: [Job]
  /// By writer and reader; the outputs' consumers are behind the stations.
  private var readings: [[Int: Reading]]
  private var wanted: [Int]
  private var delivered: [Int]
  private var endedOutputs: Set<Int> = []
  private var leftOutputs: Set<Int> = []
  /// Outputs of which nobody takes yet.
  private var late: Set<Int>
  /// The edges' writers and readers, in the order in which they were made.
  private var edges: [(from: Int, to: Int)] = []
  private var rooms: [Int]
  /// What choices have sent into their edges.
  private var sent: [Int]
  /// What was dealt to the branches that come together in order in a merge, and has not come out of them: by their first stages.
  private var dealt: [Int: [(branch: Int, count: Int)]] = [:]
  private var stopped: Set<Int> = []
  private var isGivenUp = false
  private var hasStoodStill = false
  private var isFinished = false
  private var widenings = 0
  private var steps = 0
  private var isTraced = false
  private var trace: [String] = []

  package init(seed: UInt64) {
    self.seed = seed
    plan = FlowPlan(seed: seed)
    random = SimulatedRandom(hash: seed, 1)
    machine = plan.machine
    late = Set(plan.late)
    let count = plan.kinds.count
    jobs = Array(repeating: Job(), count: count)
    readings = Array(repeating: [:], count: count)
    for station in 0..<count { for input in plan.inputs[station] { edges.append((input, station)) } }
    for output in plan.outputs.indices { edges.append((plan.outputs[output], count + output)) }
    for edge in edges { readings[edge.from][edge.to] = Reading() }
    let shares = edges.map { [plan] in plan.share(of: $0.from, at: $0.to) }
    rooms = shares.map { [plan] in max($0, plan.room) }
    sent = Array(repeating: 0, count: edges.count)
    wanted = Array(repeating: 0, count: plan.outputs.count)
    delivered = wanted
  }

  /// Plays the schedule, to its end or to the first promise that is broken.
  package func run(trace isTraced: Bool = false) -> Outcome {
    self.isTraced = isTraced
    var problem: String?
    do {
      try play()
    } catch {
      problem = "\(error)"
    }
    return Outcome(
      seed: seed, problem: problem, steps: steps, widenings: widenings, hasStoodStill: hasStoodStill, trace: trace)
  }

  private func play() throws {
    if isTraced { trace.append("\(plan)") }
    for station in jobs.indices where !plan.inputs[station].isEmpty { try demand(station, plan.window) }
    while !isFinished {
      steps += 1
      guard steps < 50_000 else { throw Broken("it never ends") }
      guard let event = nextEvent() else { throw Broken("it stands still, and nobody says so") }
      if isTraced { trace.append("\(event)") }
      try happen(event)
      if let edge = edges.indices.first(where: { machine.waiting(in: $0) > rooms[$0] }) {
        throw Broken("\(machine.waiting(in: edge)) items wait in an edge of \(rooms[edge])")
      }
    }
    try checkEnd()
  }

  private func nextEvent() -> Event? {
    if let station = plan.stops.last(where: { $0.step == steps })?.station, !jobs[station].hasEnded {
      return .stop(station)
    }
    if let fails = plan.fails, fails.step == steps, !jobs[fails.station].hasEnded { return .fail(fails.station) }
    if plan.isCancelledAt == steps { return .cancel }
    if let leaves = plan.leaves, leaves.step == steps, !endedOutputs.contains(leaves.output) {
      return .leave(leaves.output)
    }
    var events: [Event] = []
    for station in jobs.indices where !jobs[station].hasEnded {
      let job = jobs[station]
      if job.pending > 0 {
        events.append(.work(station))
      } else if plan.inputs[station].isEmpty && !job.isCancelled {
        // A source reads as long as there is room for what it makes.
        if case .source(let count) = plan.kinds[station], job.made < count {
          if mayRead(station) { events.append(.work(station)) }
        } else {
          events.append(.tearDown(station))
        }
      } else if job.isLast || job.isCancelled {
        events.append(.tearDown(station))
      }
    }
    let free = plan.outputs.indices.filter {
      wanted[$0] == 0 && !endedOutputs.contains($0) && !leftOutputs.contains($0)
    }
    events += free.filter { !late.contains($0) }.map { .want($0) }
    // Who is late comes when nothing else goes on.
    if events.isEmpty { events = free.map { .want($0) } }
    return events.isEmpty ? nil : random.one(of: events)
  }

  /// Whether its edges have room for another item: it holds one more at the most.
  private func mayRead(_ station: Int) -> Bool {
    edges.indices.allSatisfy { edge in
      guard edges[edge].from == station, !isOver(edges[edge].to) else { return true }
      return jobs[station].made - readings[station][edges[edge].to]!.had <= rooms[edge]
    }
  }

  private func happen(_ event: Event) throws {
    switch event {
    case .work(let station) where plan.inputs[station].isEmpty:
      jobs[station].made += 1
      machine.produced(station, used: 0, made: 1)
    case .work(let station):
      let count = random.within(1...jobs[station].pending)
      let before = plan.made(station, of: jobs[station].used, ended: false)
      jobs[station].pending -= count
      jobs[station].used += count
      let made = plan.made(station, of: jobs[station].used, ended: false) - before
      jobs[station].made += made
      machine.produced(station, used: count, made: made)
      try carryOut()
      if !jobs[station].isLast { try demand(station, count) }
    case .tearDown(let station):
      if !plan.inputs[station].isEmpty {
        let rest = plan.made(station, of: jobs[station].used, ended: true) - jobs[station].made
        jobs[station].made += rest
        if rest > 0 { machine.produced(station, used: 0, made: rest) }
        try carryOut()
      }
      jobs[station].hasEnded = true
      machine.ended(station)
    case .want(let output):
      late.remove(output)
      wanted[output] += plan.appetite
      machine.wanted(output, plan.appetite)
    case .stop(let station):
      stopped.insert(station)
      machine.stopAsked(station)
    case .fail(let station):
      isGivenUp = true
      jobs[station].hasEnded = true
      jobs[station].pending = 0
      machine.failed(station)
    case .cancel:
      isGivenUp = true
      machine.cancelled()
    case .leave(let output):
      leftOutputs.insert(output)
      endedOutputs.insert(output)
      machine.left(output)
    }
    try carryOut()
  }

  private func demand(_ station: Int, _ count: Int) throws {
    jobs[station].demand += count
    machine.demanded(station, count)
    try carryOut()
  }

  // MARK: What the machine says

  private func carryOut() throws {
    while case let actions = machine.takeActions(), !actions.isEmpty {
      for action in actions {
        if isTraced { trace.append("  \(action)") }
        guard !isFinished else { throw Broken("something happens after the end: \(action)") }
        try carryOut(action)
      }
    }
  }

  private func carryOut(_ action: FlowMachine.Action) throws {
    switch action {
    case .feed(let station, let count, let ended): try feed(station, count, ended: ended)
    case .take(let edge, let count):
      let (writer, reader) = edges[edge]
      guard plan.isMerge(reader), !jobs[reader].isLast, !jobs[reader].isCancelled, count <= jobs[reader].demand else {
        throw Broken("s\(reader) is given what it has not asked for")
      }
      if plan.dealer(of: reader) != nil { try takeInTurn(count, of: writer, reader) }
      jobs[reader].demand -= count
      jobs[reader].pending += count
      jobs[reader].fed += count
      try have(count, of: writer, reader)
    case .send(let edge, let count):
      let (writer, reader) = edges[edge]
      sent[edge] += count
      let isUnwanted = readings[writer].keys.allSatisfy { isOver($0) }
      guard plan.isChoice(writer), sentBy(writer) <= jobs[writer].made, isUnwanted || !isOver(reader) else {
        throw Broken("s\(writer) sends what it has not made, or to nobody")
      }
      for merge in plan.readers(reader) where plan.dealer(of: merge) == writer {
        dealt[merge, default: []].append((reader, count))
      }
    case .room(let station, let count):
      jobs[station].released += count
      let had = readings[station].values.map(\.had)
      guard jobs[station].released == (plan.isChoice(station) ? had.reduce(0, +) : had.min()) else {
        throw Broken("s\(station) gets room for \(count), and not all have taken as many")
      }
    case .deliver(let output, let count):
      guard count <= wanted[output], !endedOutputs.contains(output), !isGivenUp else {
        throw Broken("output \(output) gets what it does not want")
      }
      wanted[output] -= count
      delivered[output] += count
      try have(count, of: plan.outputs[output], plan.kinds.count + output)
    case .drop(let edge, let count):
      let (writer, reader) = edges[edge]
      let isOver =
        isGivenUp || hasStoodStill
        || (reader < jobs.count
          ? jobs[reader].isLast || jobs[reader].isCancelled : endedOutputs.contains(reader - jobs.count))
      guard isOver else { throw Broken("items of s\(writer) are dropped, and their reader goes on") }
      try have(count, of: writer, reader)
    case .cancel(let station):
      guard !jobs[station].isCancelled, !jobs[station].hasEnded else { throw Broken("s\(station) is cancelled twice") }
      let isUnwanted = readings[station].keys.allSatisfy { isOver($0) }
      guard isGivenUp || hasStoodStill || isUnwanted || plan.inputs[station].isEmpty && stopped.contains(station) else {
        throw Broken("s\(station) is cancelled, and somebody wants more of it")
      }
      jobs[station].isCancelled = true
    case .widen(let edge, let room, _):
      guard room <= plan.maximumRoom, room > rooms[edge], needsRoom(edge) || isLate(edge) else {
        throw Broken("an edge is widened for nothing")
      }
      rooms[edge] = room
      widenings += 1
    case .standstill(let edge, _):
      guard needsRoom(edge), plan.maximumRoom < 2 * plan.room else { throw Broken("a standstill that could be mended") }
      hasStoodStill = true
    case .unattended(let output):
      let edge = edges.count - plan.outputs.count + output
      guard isLate(edge), plan.maximumRoom < 2 * rooms[edge] else {
        throw Broken("output \(output) is said to be taken by nobody")
      }
    case .end(let output):
      guard endedOutputs.insert(output).inserted else { throw Broken("output \(output) ends twice") }
      let writer = plan.outputs[output]
      guard isGivenUp || hasStoodStill || jobs[writer].hasEnded && delivered[output] == jobs[writer].made else {
        throw Broken("output \(output) ends before it has everything")
      }
    case .finished:
      guard jobs.allSatisfy(\.hasEnded) else { throw Broken("it is over, and a station is not torn down") }
      isFinished = true
    }
  }

  /// What a merge takes is what was dealt first, but for what a branch that has ended will never make.
  private func takeInTurn(_ count: Int, of branch: Int, _ merge: Int) throws {
    while let first = dealt[merge]?.first, first.branch != branch || first.count < count {
      guard jobs[first.branch].hasEnded, isDry(first.branch, at: merge) || first.branch == branch else {
        throw Broken("s\(merge) takes of s\(branch) out of turn")
      }
      dealt[merge]!.removeFirst()
    }
    guard dealt[merge]?.isEmpty == false else { throw Broken("s\(merge) takes what was not dealt") }
    dealt[merge]![0].count -= count
    if dealt[merge]![0].count == 0 { dealt[merge]!.removeFirst() }
  }

  private var isQuiet: Bool { jobs.allSatisfy { $0.hasEnded || $0.pending == 0 && !$0.isLast && !$0.isCancelled } }

  /// Whether nothing goes on, and others wait for an output of which nobody takes yet.
  private func isLate(_ edge: Int) -> Bool {
    let (writer, reader) = edges[edge]
    guard reader >= jobs.count, late.contains(reader - jobs.count) else { return false }
    return isQuiet && made(writer, for: reader) - readings[writer][reader]!.had >= rooms[edge]
      && plan.outputs.indices.contains { wanted[$0] > 0 && !endedOutputs.contains($0) }
  }

  /// Whether nothing goes on, and the edge's reader waits for what comes by another.
  private func needsRoom(_ edge: Int) -> Bool {
    let (writer, reader) = edges[edge]
    guard reader < jobs.count, jobs[writer].made - readings[writer][reader]!.had > rooms[edge] else { return false }
    // What the other has made may be held up by what is to be widened.
    return isQuiet
      && plan.inputs[reader].contains {
        $0 != writer && !(jobs[$0].hasEnded && isDry($0, at: reader))
      }
  }

  private func isOver(_ reader: Int) -> Bool {
    reader < jobs.count
      ? jobs[reader].isLast || jobs[reader].isCancelled || jobs[reader].hasEnded
      : endedOutputs.contains(reader - jobs.count)
  }

  private func feed(_ station: Int, _ count: Int, ended: Bool) throws {
    guard !jobs[station].isLast, !jobs[station].isCancelled else {
      throw Broken("s\(station) is fed after its last item")
    }
    guard count <= jobs[station].demand else { throw Broken("s\(station) is fed what it has not asked for") }
    jobs[station].demand -= count
    jobs[station].pending += count
    jobs[station].fed += count
    jobs[station].isLast = ended
    for input in plan.inputs[station] { try have(count * plan.share(of: input, at: station), of: input, station) }
    if ended {
      let ends = plan.inputs[station].map { jobs[$0].hasEnded && isDry($0, at: station) }
      let hasEndOfInput = plan.isMerge(station) ? !ends.contains(false) : ends.contains(true)
      guard hasEndOfInput || stopped.contains(station) else { throw Broken("s\(station) is told an end that is none") }
    }
  }

  /// What the writer has made for the reader.
  private func made(_ writer: Int, for reader: Int) -> Int {
    guard plan.isChoice(writer) else { return jobs[writer].made }
    return edges.indices.reduce(0) { $0 + (edges[$1] == (writer, reader) ? sent[$1] : 0) }
  }

  private func sentBy(_ writer: Int) -> Int {
    edges.indices.reduce(0) { $0 + (edges[$1].from == writer ? sent[$1] : 0) }
  }

  /// Whether nothing is left of the writer's for the reader, or not enough to belong to anything.
  private func isDry(_ writer: Int, at reader: Int) -> Bool {
    made(writer, for: reader) - readings[writer][reader]!.had < plan.share(of: writer, at: reader)
  }

  private func have(_ count: Int, of writer: Int, _ reader: Int) throws {
    readings[writer][reader]!.had += count
    // What has not been taken lies in the edge, or with the station, for which the edge has no room.
    guard readings[writer][reader]!.had <= made(writer, for: reader) else {
      throw Broken("more comes of s\(writer) than it has made")
    }
  }

  private func checkEnd() throws {
    guard endedOutputs.count == plan.outputs.count else { throw Broken("an output does not end") }
    if isGivenUp || hasStoodStill { return }
    for station in jobs.indices {
      let isSent = !plan.isChoice(station) || sentBy(station) == jobs[station].made
      guard isSent, readings[station].allSatisfy({ $1.had == made(station, for: $0) }) else {
        throw Broken("something of s\(station) is left")
      }
    }
    for station in jobs.indices where !jobs[station].isCancelled && !stopped.contains(station) {
      let job = jobs[station]
      let each = plan.inputs[station].map { made($0, for: station) / plan.share(of: $0, at: station) }
      let available = plan.isMerge(station) ? each.reduce(0, +) : each.min()
      guard job.fed == job.used,
        available == nil || available == job.used || plan.inputs[station].contains(where: { jobs[$0].isCancelled })
      else { throw Broken("s\(station) has had \(job.used) of \(available ?? 0) items") }
      if case .source(let count) = plan.kinds[station], job.made != count {
        throw Broken("s\(station) has not read everything")
      }
    }
  }
}

extension FlowSimulation.Outcome {
  /// What happened and what was broken, with what is needed to see it again.
  package var report: String {
    (trace + ["BROKEN: \(problem ?? "nothing")", "seed \(seed), \(steps) steps"]).joined(separator: "\n")
  }
}
