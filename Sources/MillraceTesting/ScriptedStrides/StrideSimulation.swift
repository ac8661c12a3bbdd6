import Millrace

/// Plays the ``StrideMachine`` through one schedule: random tasks, chained, forked and zipped, inputs that come late, tasklets
/// that finish in any order and fail, consumers that follow the rule or none, lose patience, are cancelled and leave.
///
/// After each event the ledger checks what the machine promises; when nothing more will happen, that nobody waits.
package final class StrideSimulation {
  package struct Outcome {
    package let seed: UInt64
    /// What was broken; nil: nothing.
    package let problem: String?
    package let steps: Int
    /// Whether somebody was told to take from another output.
    package let hasBlocked: Bool
    package let trace: [String]
  }

  private enum Event {
    case finish(Int)
    case answer(Int)
    case ask(Int)
    case impatience(Int)
    case cancellation(Int)
    case stop
    case grace
  }

  private struct Consumer {
    var outputs: [Int]
    /// Whether it takes in loops.
    var isInLoops: Bool
    /// The outputs of which it has begun a loop that it has not left.
    var loops: Set<Int> = []
    /// The output at which it waits.
    var waitsAt: Int?
    var hasLeft = false
  }

  private let seed: UInt64
  private let plan: StridePlan
  private var random: SimulatedRandom
  private var machine: StrideMachine
  private var ledger: StrideLedger
  private var queue: [(task: Int, index: Int)] = []
  private var consumers: [Consumer] = []
  private var ended: Set<Int> = []
  private var takes: [Int]
  /// Who took last from an output without a loop.
  private var callers: [Int: Int] = [:]
  private var grace: (standstill: Int, patience: StrideMachine.Patience)?
  private var waited = StrideMachine.Patience.none
  /// Who is told together that what he waits for cannot come.
  private var wereBlocked: Set<Int> = []
  private var advised: [(consumer: Int, output: Int)] = []
  private var steps = 0
  private var hasBlocked = false
  private var isTraced = false
  private var trace: [String] = []

  package init(seed: UInt64) {
    self.seed = seed
    plan = StridePlan(seed: seed)
    random = SimulatedRandom(hash: seed, 1)
    machine = plan.machine
    ledger = StrideLedger(plan, buffer: machine.buffer)
    takes = Array(repeating: 0, count: plan.sources.count)
    var outputs = [plan.outputs]
    if plan.manner == .oneEach {
      outputs = plan.outputs.map { [$0] }
      while random.chance(40) { outputs.append([random.one(of: plan.outputs)]) }
    }
    for outputs in outputs { consumers.append(Consumer(outputs: outputs, isInLoops: random.chance(plan.loops))) }
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
    return Outcome(seed: seed, problem: problem, steps: steps, hasBlocked: hasBlocked, trace: trace)
  }

  private func play() throws {
    note("\(plan)")
    machine.start()
    try carryOut()
    while let event = nextEvent() {
      steps += 1
      guard steps < 20_000 else { throw StrideLedger.Broken("it never ends") }
      note("\(event)")
      try happen(event)
      try carryOut()
      while !advised.isEmpty { try followAdvice() }
      try ledger.check(waiting: consumers.compactMap(\.waitsAt))
    }
    if let consumer = consumers.first(where: { $0.waitsAt != nil }) {
      throw StrideLedger.Broken("somebody waits for ever at output \(consumer.waitsAt!)")
    }
    if ended.count == plan.outputs.count { try ledger.checkEnd() }
  }

  private func nextEvent() -> Event? {
    var events: [Event] = queue.indices.prefix(plan.width).map { .finish($0) }
    for task in ledger.tasks.indices where ledger.tasks[task].isPulling { events.append(.answer(task)) }
    for consumer in consumers.indices where !consumers[consumer].hasLeft {
      if consumers[consumer].waitsAt == nil {
        if !mayTake(consumer).isEmpty { events.append(.ask(consumer)) }
      } else if random.chance(plan.impatience) {
        events.append(.impatience(consumer))
      } else if random.chance(plan.cancellations) {
        events.append(.cancellation(consumer))
      }
    }
    if let stopAt = plan.stopAt, !ledger.hasStopped, steps >= stopAt || events.isEmpty { return .stop }
    if grace != nil, events.isEmpty || plan.hasShortGrace && random.chance(20) { return .grace }
    return events.isEmpty ? nil : random.one(of: events)
  }

  /// From which outputs it would take now.
  private func mayTake(_ consumer: Int) -> [Int] {
    let open = consumers[consumer].outputs.filter { !ended.contains($0) }
    guard plan.manner == .strideByStride else { return open }
    return open.filter { output in
      open.allSatisfy { takes[$0] >= takes[output] / plan.stride * plan.stride }
    }
  }

  private func happen(_ event: Event) throws {
    switch event {
    case .finish(let place):
      let (task, index) = queue.remove(at: place)
      let failed = random.chance(plan.failures)
      ledger.finished(task, index, failed: failed)
      machine.finished(task, index, failed: failed)
    case .answer(let task):
      let isOver = plan.lengths[task].map { ledger.tasks[task].pulled >= $0 } ?? false
      ledger.pulled(task, ended: isOver)
      machine.pulled(task, ended: isOver)
    case .ask(let consumer):
      ask(consumer, random.one(of: mayTake(consumer)))
    case .impatience(let consumer):
      let output = consumers[consumer].waitsAt!
      let next = ledger.nextInOrder(output)
      if plan.skipsTimedOut, plan.isOrdered, ledger.tasks[output].results[next] == .running {
        ledger.tasks[output].skipped.insert(next)
        takes[output] += 1
      }
      consumers[consumer].waitsAt = nil
      machine.timedOut(output, waiter: UInt64(consumer))
    case .cancellation(let consumer):
      let output = consumers[consumer].waitsAt!
      consumers[consumer].waitsAt = nil
      machine.gaveUp(output, waiter: UInt64(consumer))
    case .stop:
      ledger.hasStopped = true
      machine.stop()
    case .grace:
      let (standstill, patience) = grace!
      grace = nil
      waited = patience
      machine.graceIsOver(standstill)
      try carryOut()
      waited = .none
    }
  }

  private func ask(_ consumer: Int, _ output: Int) {
    consumers[consumer].waitsAt = output
    machine.next(
      output, waiter: UInt64(consumer), taker: consumer,
      loop: consumers[consumer].isInLoops ? Self.loop(consumer, output) : nil)
  }

  private static func loop(_ consumer: Int, _ output: Int) -> UInt64 { UInt64(consumer * 1_000 + output + 1) }

  private func carryOut() throws {
    while case let actions = machine.takeActions(), !actions.isEmpty {
      wereBlocked = Set(actions.compactMap { if case .blocked(let waiter, _) = $0 { Int(waiter) } else { nil } })
      for action in actions {
        note("  \(action)")
        try carryOut(action)
      }
    }
  }

  private func carryOut(_ action: StrideMachine.Action) throws {
    switch action {
    case .pull(let task): try ledger.pull(task)
    case .leave: break
    case .submit(let task, let index):
      try ledger.submit(task, index, isFailure: false)
      queue.append((task, index))
    case .passOn(let task, let index, let source):
      guard ledger.tasks[source].results[index] == .failed else { throw StrideLedger.Broken("no failure is passed on") }
      try ledger.submit(task, index, isFailure: true)
    case .release(let task, let index): try ledger.release(task, index)
    case .deliver(let task, let index, let waiter):
      guard try waits(waiter) == task else { throw StrideLedger.Broken("a result goes to who waits elsewhere") }
      try ledger.deliver(task, index)
      takes[task] += 1
      let consumer = Int(waiter)
      if consumers[consumer].isInLoops { consumers[consumer].loops.insert(task) } else { callers[task] = consumer }
      if random.chance(plan.leaving) {
        consumers[consumer].hasLeft = true
        // Who is in no loop cannot say that he has gone.
        for output in consumers[consumer].loops.sorted() { machine.left(output, loop: Self.loop(consumer, output)) }
        consumers[consumer].loops = []
      }
    case .exhausted(let task): try ledger.exhausted(task)
    case .end(let task, let waiter):
      guard try waits(waiter) == task else { throw StrideLedger.Broken("an end goes to who waits elsewhere") }
      try ledger.ended(task)
      ended.insert(task)
    case .grace(let standstill, let patience): grace = (standstill, patience)
    case .blocked(let waiter, let blockage): try blocked(waiter, blockage)
    }
  }

  /// The consumer has its answer; where it waited for it.
  private func waits(_ consumer: UInt64) throws -> Int {
    defer { consumers[Int(consumer)].waitsAt = nil }
    guard let output = consumers[Int(consumer)].waitsAt else {
      throw StrideLedger.Broken("an answer to who asks nothing")
    }
    return output
  }

  /// It was told to take from another output, does so, and gets something there.
  private func blocked(_ waiter: UInt64, _ blockage: Blockage) throws {
    hasBlocked = true
    let output = try waits(waiter)
    guard plan.manner != .strideByStride else {
      throw StrideLedger.Broken("who follows the rule was blocked: \(blockage)")
    }
    guard let named = blockage.full.first, blockage.output == output else {
      throw StrideLedger.Broken("no output is named")
    }
    guard ledger.running == 0, !ledger.isPulling, ledger.inside >= ledger.buffer else {
      throw StrideLedger.Broken("it says that nothing goes on, and something does")
    }
    guard ledger.tasks[named.output].results.count == named.results, named.output != output else {
      throw StrideLedger.Broken("the wrong output is named: \(blockage)")
    }
    let consumer = Int(waiter)
    for full in blockage.full {
      // Told as well, at the same time, perhaps.
      func attends(_ other: Int) -> Bool {
        other != consumer && consumers[other].waitsAt == nil && !wereBlocked.contains(other)
      }
      let inLoops = consumers.indices.filter { consumers[$0].loops.contains(full.output) }
      if inLoops.contains(where: attends) {
        throw StrideLedger.Broken("somebody else attends to output \(full.output)")
      }
      if let caller = callers[full.output] {
        if attends(caller), waited < .toComeAgain {
          throw StrideLedger.Broken("somebody else had no time to come again to output \(full.output)")
        }
      } else if inLoops.isEmpty, waited < .toBegin {
        throw StrideLedger.Broken("nobody had the time to begin with output \(full.output)")
      }
    }
    consumers[consumer].hasLeft = false
    if !consumers[consumer].outputs.contains(named.output) { consumers[consumer].outputs.append(named.output) }
    advised.append((consumer, named.output))
  }

  /// Who was told to take from an output gets something there.
  private func followAdvice() throws {
    guard !advised.isEmpty else { return }
    let (consumer, output) = advised.removeFirst()
    // Another may have had the same advice.
    advised.removeAll { $0.output == output }
    ask(consumer, output)
    try carryOut()
    guard consumers[consumer].waitsAt != output else { throw StrideLedger.Broken("nothing comes of the named output") }
  }

  private func note(_ text: @autoclosure () -> String) {
    if isTraced { trace.append(text()) }
  }
}

extension StrideSimulation.Outcome {
  /// What happened and what was broken, with what is needed to see it again.
  package var report: String {
    (trace + ["BROKEN: \(problem ?? "nothing")", "seed \(seed), \(steps) steps"]).joined(separator: "\n")
  }
}
