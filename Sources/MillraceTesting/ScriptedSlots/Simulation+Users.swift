import Millrace

extension Simulation {
  func handle(_ event: Event) throws {
    switch event {
    case .submit(let job): try submit(job)
    case .deed(let deed): try perform(plan.deeds[deed].deed)
    case .runEnds(let job): try stopReading(job)
    case .alarm: try ring()
    case .order(let slot): try performOrder(slot)
    case .process(let process, let serial):
      if !process.isDead, process.serial == serial { activityEnds(process) }
    case .report(let worker): try deliverReport(worker)
    case .stale(let worker, let report):
      try tell(report, worker, isLate: true)
    case .death(let process, let cause, let onlyIdle):
      if !onlyIdle || process.activity == nil { die(process, cause) }
    case .come(let job, let count, let isLast): try come(job, count, isLast: isLast)
    case .collect(let job): try collect(job)
    case .take(let job): try take(job)
    case .nest(let process, let serial):
      if !process.isDead, process.serial == serial { try nest(process) }
    case .inner(let job, let hasFailed): innerIsOver(job, hasFailed: hasFailed)
    case .closeWorker(let job, let hasFailed): try closeWorker(of: job, hasFailed: hasFailed)
    case .leaverEnds(let worker, let key, let number):
      if !worker.isDead, !worker.isGone { say(.tornDownApart(key, number: number), worker) }
    case .heard(let job, let process): stopsWaiting(process, for: job)
    case .leave(let job): if !isOver(job) { try cancel(job) }
    case .took(let job, let count):
      ledger.jobs[jobs[job].id!]!.taken += count
      if !plans[job].isPulled { return }
      try step("job \(job + 1): consumed \(count)") { $0.consumed(jobs[job].id!, count: count, now: $1) }
    }
  }

  func submit(_ job: Int) throws {
    guard !isClosed else { return }
    let planned = plans[job]
    let key = keys[planned.worker]
    let worker = ledger.workers[key]!.plan
    if ledger.workers[key]!.isClosed {
      dispatcher.readdWorker(key)
      ledger.workers[key] = Ledger.Worker(plan: worker)
    }
    // The identifier is told before the first actions are taken, as a pool does it under its lock.
    let id = JobID(plansOfJobs.count + 1)
    plansOfJobs[id] = job
    jobs[job].id = id
    let spec = planned.spec(key, worker)
    var chunking = spec.chunking
    chunking.start(total: spec.total, width: ledger.width)
    ledger.jobs[id] = Ledger.Job(plan: planned, worker: key, largestChunk: chunking.largest)
    ledger.jobs[id]!.began = now
    ledger.workers[key]!.users += 1
    ledger.workers[key]!.leftAt = nil
    if !ledger.workers[key]!.isAwaited { ledger.workers[key]!.isClosing = false }
    ledger.forgetSetUps(key)
    try step("submit job \(job + 1): \(planned)") { _ = $0.submit(spec, now: $1) }
  }

  // MARK: What users do

  func perform(_ deed: SimulationPlan.Deed) throws {
    switch deed {
    case .resize(let width):
      if width < ledger.width { ledger.givenBefore = ledger.given }
      ledger.width = width
      ledger.resizedAt = now
      for key in keys { ledger.forgetSetUps(key) }
      try step("resize to \(width)") { $0.resize(to: width, now: $1) }
    case .cancel(let job): try cancel(job)
    case .fail(let job):
      guard let id = jobs[job].id else { return }
      ledger.jobs[id]!.wasFailed = true
      try step("fail job \(job + 1)") { $0.fail(id, DriverTrouble(), now: $1) }
    case .stopReading(let job): try stopReading(job)
    case .close(let worker): try close(worker)
    case .tick: try step("tick, unasked") { $0.tick(now: $1) }
    case .shutDown:
      if ledger.isStopped { return }
      isClosed = true
      ledger.isEnding = true
      for (id, job) in ledger.jobs where job.plan.isPulled && !job.plan.endsWithItsRun {
        ledger.jobs[id]!.isClosedToInput = true
      }
      runsEnd()
      try step("shut down") { $0.shutDown(now: $1) }
    case .drain:
      if ledger.isStopped { return }
      isClosed = true
      ledger.isEnding = true
      for (id, job) in ledger.jobs where !job.plan.endsWithItsRun { ledger.jobs[id]!.isClosedToInput = true }
      runsEnd()
      try step("drain") { $0.drain(InputTrouble(), now: $1) }
      // What is read after this is nobody's.
      for job in jobs.indices where !plans[job].endsWithItsRun { jobs[job].hasStalledInput = false }
    case .terminate:
      if ledger.isStopped { return }
      isClosed = true
      ledger.isEnding = true
      ledger.isTerminated = true
      try step("terminate") { $0.terminate(now: $1) }
    case .standStill(let time):
      // Time goes on, and nothing happens.
      agenda.delay(by: time) { if case .alarm = $0 { false } else { true } }
      now += time
      ledger.revivedAt = now
      if unsharedSince != nil { unsharedSince = now }
      for job in jobs.indices where jobs[job].liesSince != nil { jobs[job].liesSince = now }
      try step("it stood still for \(time / 1_000) µs") { $0.stoodStill(now: $1) }
    }
  }

  private func runsEnd() {
    for job in jobs.indices where plans[job].endsWithItsRun && !isOver(job) {
      agenda.add(.runEnds(job), at: now + random.time(upTo: 20_000_000))
    }
  }

  /// What was read gets its outcomes; the job is not told of an error.
  private func stopReading(_ job: Int) throws {
    guard let id = jobs[job].id, !ledger.isStopped else { return }
    let goesOn =
      ledger.jobs[id].map { job in
        // All that was said to come is there: it may know that there is no more.
        job.end == nil && !job.inputEnded && !job.isClosedToInput && job.items.count != job.plan.declared
      } ?? false
    ledger.jobs[id]!.isClosedToInput = true
    if goesOn {
      ledger.jobs[id]!.isStopped = true
      jobs[job].hasStalledInput = false
    }
    var hasStopped = false
    try step("stop reading job \(job + 1)") { hasStopped = $0.stopReading(id, now: $1) }
    try ledger.check(hasStopped || !goesOn, "\(id): its reading is said to have ended before")
  }

  func close(_ worker: Int) throws {
    guard !ledger.workers[keys[worker]]!.isClosed else { return }
    ledger.workers[keys[worker]]!.isClosing = true
    ledger.workers[keys[worker]]!.isAwaited = true
    try step("close worker \(worker + 1)") { $0.close(keys[worker], now: $1) }
  }

  private func cancel(_ job: Int) throws {
    guard let id = jobs[job].id else { return }
    ledger.jobs[id]!.wasCancelled = true
    try step("cancel job \(job + 1)") { $0.cancel(id, now: $1) }
  }

  private func ring() throws {
    guard let time = alarm, time <= now else { return }
    try step("tick") { $0.tick(now: $1) }
    if let alarm { try ledger.check(alarm > now, "the alarm is still at \(alarm), which is over") }
  }

  // MARK: Inputs

  /// The input begins to bring so many items, in one lot or several, as far as it does.
  func read(_ job: Int, _ count: Int) {
    let planned = plans[job]
    jobs[job].demand = count
    jobs[job].come = 0
    jobs[job].isAwaited = false
    var position = jobs[job].position
    var rest = count
    var time = now
    while true {
      time += random.time(upTo: planned.readTime)
      var lot = planned.lot(of: rest, at: position)
      for end in [planned.length, planned.inputFailsAt, planned.inputStallsAt] {
        if let end, end >= position { lot = min(lot, end - position) }
      }
      if lot == 0, planned.inputStallsAt == position {
        // Of what has no end and what fails in one place, the first comes first.
        jobs[job].hasStalledInput = true
        return note("    the input of job \(job + 1) blocks")
      }
      position += lot
      rest -= lot
      let isLast = rest == 0 || lot == 0 || planned.coming(of: count, at: jobs[job].position) < count
      agenda.add(.come(job, count: lot, isLast: isLast), at: time)
      if isLast { return }
    }
  }

  private func come(_ job: Int, _ count: Int, isLast: Bool) throws {
    guard let demand = jobs[job].demand, let id = jobs[job].id else { return }
    jobs[job].demand = demand - count
    jobs[job].position += count
    jobs[job].come += count
    if !isLast {
      note("job \(job + 1): \(count) items have come")
      return jobs[job].isAwaited ? try collect(job) : ()
    }
    let planned = plans[job]
    let position = jobs[job].position
    let isOver = demand > count || count == 0
    let fails = isOver && planned.inputFailsAt == position
    let ends = isOver && !fails && planned.length == position
    jobs[job].demand = nil
    jobs[job].isAwaited = false
    if fails {
      if jobs[job].come > 0 { try handOver(job, goesOn: true) }
      let isWanted = ledger.jobs[id]!.reading != nil
      ledger.jobs[id]!.reading = nil
      if isWanted { ledger.jobs[id]!.inputEnded = true }
      return try step("job \(job + 1): input fails") { $0.inputFailed(id, InputTrouble(), now: $1) }
    }
    try handOver(job, ended: ends)
  }

  /// Somebody wants what has come, or else the next to come.
  private func collect(_ job: Int) throws {
    guard jobs[job].demand != nil else { return }
    jobs[job].isAwaited = jobs[job].come == 0
    if jobs[job].come > 0 { try handOver(job, goesOn: true) }
  }

  private func handOver(_ job: Int, ended: Bool = false, goesOn: Bool = false) throws {
    guard let id = jobs[job].id else { return }
    let count = jobs[job].come
    jobs[job].come = 0
    jobs[job].liesSince = nil
    // What the dispatcher does not wait for any more is not the job's.
    let asked = ledger.jobs[id]!.reading
    let isWanted = asked != nil && !ledger.jobs[id]!.isClosedToInput && !jobs[job].isOver
    if count == asked { ledger.jobs[id]!.limit = nil }
    ledger.jobs[id]!.reading = goesOn ? asked.map { $0 - count } : nil
    let cell = SimulatedItems(job: id, range: jobs[job].position - count..<jobs[job].position)
    let known = known(job, id, cell)
    if isWanted {
      if ended { ledger.jobs[id]!.inputEnded = true }
      ledger.jobs[id]!.items += cell.range.map { index in
        var item = Ledger.Item()
        if let known = plans[job].known(index) {
          item.state = .known(known)
          item.cameFailed = known == .failure
        }
        return item
      }
    }
    try step("job \(job + 1): \(count) items arrive\(ended ? ", the last" : goesOn ? ", and more will" : "")") {
      $0.arrived(id, count: count, cell: cell, ended: ended, goesOn: goesOn, known: known, now: $1)
    }
  }

  /// What is known of items that come: of some of those that follow each other, together.
  private func known(_ job: Int, _ id: JobID, _ cell: SimulatedItems) -> [Segment] {
    var segments: [Segment] = []
    for index in cell.range {
      guard let known = plans[job].known(index) else { continue }
      if known == .failure {
        let failure = ItemFailure(index: index, slot: 0, attempt: 0, cause: .threw(WorkerTrouble()), standardError: "")
        segments.append(
          Segment(range: index..<index + 1, slot: 0, attempt: 0, content: .failure(failure), cell: cell))
        continue
      }
      var range = index..<index + 1
      if let last = segments.last, case .outputs = last.content, last.range.upperBound == index, index % 7 > 0 {
        range = last.range.lowerBound..<index + 1
        segments.removeLast()
      }
      let outputs = SimulatedItems(job: id, range: range)
      segments.append(Segment(range: range, slot: 0, attempt: 0, content: .outputs(outputs), cell: cell))
    }
    return segments
  }

  // MARK: Consumers

  func deliver(_ job: Int, _ count: Int) {
    jobs[job].queue.append(count)
    awaitNext(job)
  }

  private func awaitNext(_ job: Int) {
    guard !jobs[job].isTaking, !jobs[job].queue.isEmpty, !jobs[job].hasStalledConsumer else { return }
    jobs[job].isTaking = true
    agenda.add(.take(job), at: now + random.time(upTo: plans[job].consumeTime))
  }

  private func take(_ job: Int) throws {
    jobs[job].isTaking = false
    guard let count = jobs[job].queue.popFirst() else { return }
    let planned = plans[job]
    let before = jobs[job].taken
    jobs[job].taken += count
    if let enough = planned.cancelsAfter, jobs[job].taken > enough, before <= enough {
      // A consumer that breaks off has taken the rest of its batch in vain.
      return try cancel(job)
    }
    if let stallsAfter = planned.consumerStallsAfter, jobs[job].taken > stallsAfter {
      jobs[job].hasStalledConsumer = true
      return note("    the consumer of job \(job + 1) takes no more")
    }
    if count > 1, random.chance(30) {
      agenda.add(.took(job, count: 1), at: now)
      agenda.add(.took(job, count: count - 1), at: now + random.time(upTo: planned.consumeTime))
    } else {
      agenda.add(.took(job, count: count), at: now)
    }
    awaitNext(job)
  }
}
