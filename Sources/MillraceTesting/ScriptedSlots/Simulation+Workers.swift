import Millrace

extension Simulation {
  // MARK: Orders

  /// The slot's driver will come to it, in order.
  func order(_ action: Action, _ slot: Int) {
    orders[slot, default: FIFO()].append(action)
    let time = max(now + random.time(upTo: plan.latency), lastOrder[slot] ?? 0)
    lastOrder[slot] = time
    agenda.add(.order(slot: slot), at: time)
  }

  func performOrder(_ slot: Int) throws {
    guard let action = orders[slot]?.popFirst() else { return }
    if case .start(_, let generation) = action {
      let worker = SimulatedWorker(slot: slot, generation: generation)
      workers[slot] = worker
      note("    slot \(slot).\(generation) starts")
      return schedule(worker, random.time(upTo: 3_000_000))
    }
    guard let worker = workers[slot], !worker.isDead else { return }
    switch action {
    case .prepare(_, worker.generation, let key): post(.prepare(key), worker)
    case .run(_, worker.generation, let chunk):
      post(.run(chunk), worker)
      if random.chance(plan.faults.killedFromOutside) {
        let crash = ItemFailure.Cause.crashed(.killedFromOutside, signal: 9)
        agenda.add(.death(worker, crash, onlyIdle: false), at: now + random.time(upTo: 40_000_000))
      }
      if random.chance(plan.faults.diesIdle) {
        let crash = ItemFailure.Cause.exited(code: 0)
        agenda.add(.death(worker, crash, onlyIdle: true), at: now + random.time(upTo: 40_000_000))
      }
    case .tearDown(_, worker.generation, let key): post(.tearDown(key), worker)
    case .stop(_, worker.generation): post(.stop, worker)
    case .kill(_, worker.generation):
      worker.isKilled = true
      if plan.killsAtOnce {
        die(worker, .cancelled)
      } else {
        let cause = ItemFailure.Cause.crashed(.signal, signal: 15)
        agenda.add(.death(worker, cause, onlyIdle: false), at: now + random.time(upTo: 10_000_000))
      }
    case .revoke(_, worker.generation, let chunk, let start):
      try answer(.revoked(chunk: chunk, from: worker.giveBack(chunk, from: start)), worker)
    case .cancel(_, worker.generation, let chunk): cancel(chunk, worker)
    case .inspect(_, worker.generation, let chunk):
      let run = worker.run.flatMap { $0.chunk.id == chunk && $0.index < $0.chunk.range.upperBound ? $0 : nil }
      let found: Inspection
      if let run {
        found = .item(run.index, since: run.since)
      } else if case .silent = worker.activity {
        found = .untouched
      } else {
        found = .waiting
      }
      try answer(.inspected(chunk: chunk, found), worker)
    default: break  // for a worker that is no more
    }
  }

  private func cancel(_ chunk: Int, _ worker: SimulatedWorker) {
    if worker.drop(chunk) { return say(.finished(chunk: chunk, nil, items: 0, elapsed: 0), worker) }
    guard var run = worker.run, run.chunk.id == chunk, isCooperative(run.chunk.job) else { return }
    run.isUnwanted = true
    worker.activity = .running(run)
  }

  private func isCooperative(_ id: JobID) -> Bool { plan.jobs[plansOfJobs[id]!].isCooperative }

  private func post(_ command: SimulatedWorker.Command, _ worker: SimulatedWorker) {
    worker.mailbox.append(command)
    if worker.activity == nil { begin(worker) }
  }

  // MARK: What a worker does

  /// The worker's activity will end in so many nanoseconds; nil: never.
  private func schedule(_ worker: SimulatedWorker, _ time: UInt64?) {
    worker.serial += 1
    worker.isStalled = time == nil
    if let time { agenda.add(.worker(worker, serial: worker.serial), at: now + time) }
  }

  private func begin(_ worker: SimulatedWorker) {
    guard !worker.isDead, worker.activity == nil, let command = worker.mailbox.popFirst() else { return }
    switch command {
    case .prepare(let key):
      worker.activity = .preparing(key)
      if random.chance(plan.faults.setUpStalls) {
        schedule(worker, nil)
      } else if random.chance(plan.faults.setUpDawdles) {
        schedule(worker, 45_000_000 + random.time(upTo: 20_000_000))
      } else {
        schedule(worker, random.time(upTo: 20_000_000))
      }
    case .run(let chunk):
      if random.chance(plan.faults.diesOnReceipt) {
        return die(worker, .crashed(.killedFromOutside, signal: 9))
      }
      if random.chance(plan.faults.goesSilent), plan.jobs[plansOfJobs[chunk.job]!].itemTimeout != nil {
        worker.mailbox.prepend(command)
        worker.activity = .silent
        return schedule(worker, nil)
      }
      let first = chunk.range.lowerBound
      worker.activity = .running(
        SimulatedWorker.Run(chunk: chunk, index: first, reported: first, since: now, began: now, first: first))
      beginItem(worker)
    case .tearDown(let key):
      worker.activity = .tearingDown(key)
      schedule(worker, random.chance(plan.faults.tearDownStalls) ? nil : random.time(upTo: 20_000_000))
    case .stop:
      worker.activity = .stopping
      schedule(worker, random.chance(plan.faults.endingStalls) ? nil : random.time(upTo: 1_000_000))
    }
  }

  func activityEnds(_ worker: SimulatedWorker) {
    guard let activity = worker.activity else { return }
    switch activity {
    case .starting:
      if random.chance(plan.faults.diesStarting) { return die(worker, .exited(code: 1)) }
      worker.activity = nil
      if random.chance(plan.faults.cannotStart) {
        worker.isDead = true
        return say(.startFailed, worker)
      }
      say(.started, worker)
    case .preparing(let key):
      if plan.faults.barrenSlots.contains(worker.slot) || random.chance(plan.faults.setUpThrows) {
        worker.activity = nil
        say(.prepareFailed(key), worker)
      } else if random.chance(plan.faults.setUpDies) {
        return die(worker, .crashed(.trap, signal: 4))
      } else {
        worker.activity = nil
        say(.prepared(key), worker)
      }
    case .running(let run): return itemEnds(worker, run)
    case .tearingDown(let key):
      if random.chance(plan.faults.tearDownDies) {
        return die(worker, .crashed(.trap, signal: 4))
      }
      worker.activity = nil
      say(.tornDown(key), worker)
    case .stopping: return die(worker, .cancelled)
    case .silent: return
    }
    begin(worker)
  }

  private func beginItem(_ worker: SimulatedWorker) {
    guard case .running(var run) = worker.activity else { return }
    run.since = now
    worker.activity = .running(run)
    let planned = plan.jobs[plansOfJobs[run.chunk.job]!]
    let isStalling = planned.behaviour(run.index, attempt: run.chunk.attempt) == .stalls
    schedule(worker, isStalling ? nil : planned.time(of: run.index, attempt: run.chunk.attempt))
  }

  private func itemEnds(_ worker: SimulatedWorker, _ finished: SimulatedWorker.Run) {
    var run = finished
    let planned = plan.jobs[plansOfJobs[run.chunk.job]!]
    // Everything is done: the chunk's end was still to be said.
    if run.index == run.chunk.range.upperBound { return chunkEnds(worker, run) }
    switch planned.behaviour(run.index, attempt: run.chunk.attempt) {
    case .traps: return die(worker, .crashed(.trap, signal: 4))
    case .exits: return die(worker, .exited(code: 3))
    case .throwsError:
      sayOutputs(worker, &run)
      let retryable = planned.isRetryable(run.index, attempt: run.chunk.attempt)
      say(.itemFailed(chunk: run.chunk.id, index: run.index, retryable: retryable), worker)
      run.index += 1
      run.reported = run.index
    case .works, .isSlow, .overruns, .stalls, .dawdles:
      run.index += 1
      if random.chance(30), run.index < run.chunk.range.upperBound { sayOutputs(worker, &run) }
    }
    worker.activity = .running(run)
    if run.isUnwanted {
      chunkEnds(worker, run)
    } else if run.index == run.chunk.range.upperBound {
      schedule(worker, random.time(upTo: 10_000))
    } else {
      beginItem(worker)
    }
  }

  private func chunkEnds(_ worker: SimulatedWorker, _ finished: SimulatedWorker.Run) {
    var run = finished
    let isWhole = run.index == run.chunk.range.upperBound
    if !isWhole || random.chance(30) { sayOutputs(worker, &run) }
    let outputs = run.reported < run.index ? outputs(of: run) : nil
    let items = run.index - run.first
    say(.finished(chunk: run.chunk.id, outputs, items: items, elapsed: now - run.began), worker)
    worker.activity = nil
    worker.serial += 1
    worker.isStalled = false
    begin(worker)
  }

  private func outputs(of run: SimulatedWorker.Run) -> SimulatedItems {
    SimulatedItems(job: run.chunk.job, range: run.reported..<run.index)
  }

  private func sayOutputs(_ worker: SimulatedWorker, _ run: inout SimulatedWorker.Run) {
    guard run.reported < run.index else { return }
    say(.completed(chunk: run.chunk.id, upTo: run.index, outputs(of: run)), worker)
    run.reported = run.index
  }

  // MARK: Death

  func die(_ worker: SimulatedWorker, _ cause: ItemFailure.Cause) {
    guard !worker.isDead else { return }
    note("    slot \(worker.slot).\(worker.generation) dies: \(cause)")
    worker.isDead = true
    worker.isStalled = false
    worker.serial += 1
    var running: Int?
    var retryable = true
    if var run = worker.run {
      if !random.chance(plan.faults.losesOutputs) { sayOutputs(worker, &run) }
      // Whoever runs is only known if nothing before it is missing.
      if run.reported == run.index, run.index < run.chunk.range.upperBound {
        running = run.chunk.id
        retryable = plan.jobs[plansOfJobs[run.chunk.job]!].isRetryable(run.index, attempt: run.chunk.attempt)
      }
    }
    worker.activity = nil
    say(.died(running: running, cause, retryable: retryable), worker)
  }

  // MARK: Reports

  private func say(_ report: Report, _ worker: SimulatedWorker) {
    worker.reports.append(report)
    worker.lastReport = max(now + random.time(upTo: plan.latency), worker.lastReport)
    agenda.add(.report(worker), at: worker.lastReport)
    if random.chance(plan.faults.speaksLate) {
      agenda.add(.stale(worker, report), at: worker.lastReport + 60_000_000 + random.time(upTo: 60_000_000))
    }
  }

  /// Answers the dispatcher. Where the driver itself looks at what it shares with the worker, the answer overtakes what the
  /// worker has said.
  private func answer(_ report: Report, _ worker: SimulatedWorker) throws {
    if plan.answersAtOnce { try tell(report, worker, isLate: false) } else { say(report, worker) }
  }

  func deliverReport(_ worker: SimulatedWorker) throws {
    guard let report = worker.reports.popFirst() else { return }
    try tell(report, worker, isLate: false)
  }

  /// `isLate`: said once more, which counts for nothing when the worker was written off meanwhile.
  func tell(_ report: Report, _ worker: SimulatedWorker, isLate: Bool) throws {
    let (slot, generation) = (worker.slot, worker.generation)
    let isLive = ledger.isLive(slot, generation)
    // A worker that lives does not repeat itself.
    if isLate, isLive { return }
    if isLive { ledger.hears(report, slot: slot) }
    try step("slot \(slot).\(generation)\(isLive ? "" : ", written off"): \(report)") { dispatcher, now in
      switch report {
      case .started: dispatcher.started(slot: slot, generation: generation, now: now)
      case .startFailed: dispatcher.startFailed(slot: slot, generation: generation, WorkerTrouble(), now: now)
      case .prepared(let key): dispatcher.prepared(slot: slot, generation: generation, key, now: now)
      case .prepareFailed(let key):
        dispatcher.prepareFailed(slot: slot, generation: generation, key, WorkerTrouble(), now: now)
      case .tornDown(let key): dispatcher.tornDown(slot: slot, generation: generation, key, now: now)
      case .completed(let chunk, let end, let outputs):
        dispatcher.completed(slot: slot, generation: generation, chunk: chunk, upTo: end, outputs: outputs, now: now)
      case .itemFailed(let chunk, _, let retryable):
        dispatcher.itemFailed(
          slot: slot, generation: generation, chunk: chunk, .threw(WorkerTrouble()), retryable: retryable, now: now)
      case .finished(let chunk, let outputs, let items, let elapsed):
        dispatcher.finished(
          slot: slot, generation: generation, chunk: chunk, outputs: outputs, items: items, elapsed: elapsed,
          memory: chunk % 5 == 0 ? 2_000 : 500, now: now)
      case .revoked(let chunk, let start):
        dispatcher.revoked(slot: slot, generation: generation, chunk: chunk, from: start, now: now)
      case .inspected(let chunk, let found):
        dispatcher.inspected(slot: slot, generation: generation, chunk: chunk, found, now: now)
      case .died(let running, let cause, let retryable):
        dispatcher.died(
          slot: slot, generation: generation, Death(running: running, cause: cause, retryable: retryable), now: now)
      }
    }
  }
}

/// What a simulated worker throws.
struct WorkerTrouble: Error {}
