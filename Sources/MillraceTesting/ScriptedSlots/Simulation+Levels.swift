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
      // The item's own job may have been raised.
      planned.level = plans[plansOfJobs[run.chunk.job]!].level + 1
      if planned.closesItsWorker {
        let key = dispatcher.addWorker()
        ledger.workers[key] = Ledger.Worker(plan: ledger.workers[keys[planned.worker]]!.plan)
        planned.worker = keys.count
        keys.append(key)
      }
      plans.append(planned)
      jobs.append(JobState(root: jobs[plansOfJobs[run.chunk.job]!].root))
      made.append(plans.count - 1)
      guard !planned.isLoose else { continue }
      process.awaited.insert(plans.count - 1)
      jobs[plans.count - 1].maker = process
      awaitedJobs.append(plans.count - 1)
    }
    let outer = jobMadeOutside(run)
    if let outer {
      process.awaited.insert(outer)
      jobs[outer].waiters.append(process)
    }
    process.waiter = run.chunk.job
    if process.awaited.isEmpty { itemGoesOn(process) }
    for job in made {
      try submit(job)
      // The pool takes no more.
      if jobs[job].id == nil {
        innerEnds(job, hasFailed: true)
      } else if jobs[job].maker != nil {
        try wait(run, for: job)
      }
    }
    if let outer { try wait(run, for: outer) }
  }

  // MARK: Jobs that were made outside

  /// A job that was made outside of the item, and that it waits for. Its end does not depend on what waits for it: each waits for
  /// jobs behind its own only.
  private func jobMadeOutside(_ run: SimulatedProcess.Run) -> Int? {
    let own = plansOfJobs[run.chunk.job]!
    guard random.chance(plans[own].waitsOutside) else { return nil }
    let others = plan.jobs.indices.filter { job in
      job > jobs[own].root && jobs[job].id != nil && !jobs[job].isOver && plans[job].length != nil
        && plans[job].inputStallsAt == nil && plans[job].consumerStallsAfter == nil
    }
    return others.isEmpty ? nil : random.one(of: others)
  }

  private func wait(_ run: SimulatedProcess.Run, for job: Int) throws {
    guard let id = jobs[job].id, !jobs[job].isOver else { return }
    let level = plans[plansOfJobs[run.chunk.job]!].level
    var mayWait = false
    try step("an item of \(run.chunk.job) waits for job \(job + 1)") {
      mayWait = $0.waits(run.chunk.job, level: level, for: id, now: $1)
    }
    try ledger.check(mayWait, "an item of \(run.chunk.job) may not wait for job \(job + 1)")
  }

  /// An item waits for the job, which has another level now.
  func raised(_ id: JobID, _ level: Int) throws {
    let job = plansOfJobs[id]!
    try ledger.check(level > plans[job].level, "\(id) is raised from level \(plans[job].level) to \(level)")
    plans[job].level = level
    plans[job].roundRobin = false
    ledger.jobs[id]!.plan.level = level
    ledger.jobs[id]!.plan.roundRobin = false
    ledger.forgetSetUps(ledger.jobs[id]!.worker)
  }

  /// A job is over: items that wait for it, and have not made it, hear of that.
  func outerEnds(_ job: Int) {
    for process in jobs[job].waiters {
      agenda.add(.heard(job, process), at: now + random.time(upTo: plans[job].consumeTime))
    }
    jobs[job].waiters = []
  }

  /// Whether the slot's item waits for a job that it has not made.
  func waitsOutside(_ slot: Int) -> Bool {
    plan.jobs.indices.contains { jobs[$0].waiters.contains { $0.worker.slot == slot } }
  }

  func stopsWaiting(_ process: SimulatedProcess, for job: Int) {
    guard process.awaited.remove(job) != nil else { return }
    if let id = jobs[job].id { dispatcher.waited(process.waiter, for: id) }
    if process.awaited.isEmpty, !process.isDead, !process.worker.isUndead { itemGoesOn(process) }
  }

  /// A map is over: its item hears of that.
  func innerEnds(_ job: Int, hasFailed: Bool) {
    guard jobs[job].maker != nil else { return }
    if plans[job].closesItsWorker, jobs[job].id != nil {
      return agenda.add(.closeWorker(job, hasFailed: hasFailed), at: now)
    }
    itemHears(job, hasFailed: hasFailed)
  }

  func itemHears(_ job: Int, hasFailed: Bool) {
    agenda.add(.inner(job, hasFailed: hasFailed), at: now + random.time(upTo: plans[job].consumeTime))
  }

  /// The job is over, and so is the worker that it alone has used: its item waits for that, too.
  func closeWorker(of job: Int, hasFailed: Bool) throws {
    let key = keys[plans[job].worker]
    guard ledger.workers[key]?.isClosed == false, !ledger.isStopped else {
      return itemHears(job, hasFailed: hasFailed)
    }
    closings[key] = (job, hasFailed)
    try close(plans[job].worker)
  }

  func innerIsOver(_ job: Int, hasFailed: Bool) {
    guard let process = jobs[job].maker, process.awaited.contains(job) else { return }
    awaitedJobs.removeAll { $0 == job }
    if hasFailed { process.innerFailed = true }
    stopsWaiting(process, for: job)
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
    for job in plan.jobs.indices where !jobs[job].isOver {
      jobs[job].waiters.removeAll { process in
        guard process.isDead || process.worker.isKilled || process.isCancelled else { return false }
        agenda.add(.heard(job, process), at: now + random.time(upTo: 100_000))
        return true
      }
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
    guard random.chance(50) else { return }
    let percent = random.one(of: [10, 50, 100])
    for job in jobs.indices { jobs[job].waitOutside(percent) }
  }
}

extension JobPlan {
  fileprivate mutating func waitOutside(_ percent: Int) {
    waitsOutside = percent
    for job in inner.indices { inner[job].waitOutside(percent) }
  }

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
