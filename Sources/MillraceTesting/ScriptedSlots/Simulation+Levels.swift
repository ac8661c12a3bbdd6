import Millrace

/// Maps that items make on the pool in which they run.
extension Simulation {
  /// So many of them in one schedule: what would make more does not.
  static var mostInnerJobs: Int { 60 }

  /// Whether the item makes maps.
  func nests(_ run: SimulatedProcess.Run) -> Bool {
    let planned = plans[plansOfJobs[run.chunk.job]!]
    return planned.behaviour(run.index, attempt: run.chunk.attempt) == .nests
  }

  /// The process's item makes its maps, and waits for those that it wants to wait for.
  func nest(_ process: SimulatedProcess) throws {
    guard let run = process.run else { return }
    let inner = plans.count - plan.jobs.count < Self.mostInnerJobs ? plans[plansOfJobs[run.chunk.job]!].inner : []
    var made: [Int] = []
    for planned in inner {
      var planned = planned
      // Each does what it does, and not what its like has done.
      planned.salt = random.next()
      plans.append(planned)
      jobs.append(JobState())
      made.append(plans.count - 1)
      guard !planned.isLoose else { continue }
      process.awaited.insert(plans.count - 1)
      jobs[plans.count - 1].maker = process
      awaitedJobs.append(plans.count - 1)
    }
    if process.awaited.isEmpty { itemGoesOn(process) }
    for job in made {
      try submit(job)
      // The pool takes no more.
      if jobs[job].id == nil { innerEnds(job, hasFailed: true) }
    }
  }

  /// A map is over: its item hears of that.
  func innerEnds(_ job: Int, hasFailed: Bool) {
    guard jobs[job].maker != nil else { return }
    agenda.add(.inner(job, hasFailed: hasFailed), at: now + random.time(upTo: plans[job].consumeTime))
  }

  func innerIsOver(_ job: Int, hasFailed: Bool) {
    guard let process = jobs[job].maker, process.awaited.remove(job) != nil else { return }
    awaitedJobs.removeAll { $0 == job }
    if hasFailed { process.innerFailed = true }
    if process.awaited.isEmpty, !process.isDead, !process.worker.isUndead { itemGoesOn(process) }
  }

  /// Maps whose item is gone, or no longer wanted, end with it.
  func endWithTheirItems() {
    for job in awaitedJobs where !jobs[job].isLeft {
      guard let process = jobs[job].maker, process.isDead || process.worker.isKilled || process.isCancelled else {
        continue
      }
      jobs[job].isLeft = true
      agenda.add(.leave(job), at: now + random.time(upTo: 100_000))
    }
  }

  /// Slots that run jobs of this level.
  func slots(serving level: Int) -> [Int] {
    if plan.limits.levelsAreApart { return [level] }
    let spare = ledger.levels.indices.filter { slot in ledger.levels[slot].map { $0 > 0 && $0 <= level } ?? false }
    return Array(0..<ledger.width) + spare
  }
}

extension SimulationPlan {
  /// Items make maps of their own on the same pool, as they may where nothing waits behind them in their slots.
  mutating func makeLevels(_ random: inout SimulatedRandom, isCalm: Bool, hardStalls: Bool) {
    // Where several workers share a process, their items cannot use the pool that they run in.
    faults.isDoubtful = 0
    limits.prefetch = 0
    hasProcessForEach = false
    if random.chance(25) {
      limits.levelsAreApart = true
      limits.shareTime = nil
      width = 1
      deeds = deeds.map { (time, deed) in if case .resize = deed { (time, .tick) } else { (time, deed) } }
    }
    for job in jobs.indices {
      jobs[job].nest(&random, self, depth: random.within(1...4), isCalm: isCalm, hardStalls: hardStalls)
    }
  }
}

extension JobPlan {
  fileprivate mutating func nest(
    _ random: inout SimulatedRandom, _ plan: SimulationPlan, depth: Int, isCalm: Bool, hardStalls: Bool
  ) {
    behaviours.nests = random.one(of: [10, 40, 100])
    minds = random.chance(50)
    for _ in 0..<random.one(of: [1, 1, 2]) {
      var job = JobPlan(&random, plan, isCalm: isCalm, hardStalls: hardStalls)
      job.level = level + 1
      job.roundRobin = false
      let length = random.one(of: [0, 1, 2, 3, 5, 8])
      job.length = length
      if job.declared != nil { job.declared = length }
      job.consumerStallsAfter = nil
      // Whoever waits for such a map is freed by a limit of its own.
      if itemTimeout == nil { job.inputStallsAt = nil }
      job.isLoose = random.chance(10)
      if job.isLoose { job.inputStallsAt = nil }
      if depth > 1, random.chance(60) {
        job.nest(&random, plan, depth: depth - 1, isCalm: isCalm, hardStalls: hardStalls)
      }
      inner.append(job)
    }
  }
}
