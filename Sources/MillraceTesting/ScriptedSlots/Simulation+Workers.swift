import Millrace

extension Simulation {
  // MARK: Orders

  /// The slot's driver will come to it, in order.
  func order(_ action: Action, _ slot: Int) {
    orders[slot, default: []].append(action)
    let time = max(now + random.time(upTo: plan.latency), lastOrder[slot] ?? 0)
    lastOrder[slot] = time
    agenda.add(.order(slot: slot), at: time)
  }

  func performOrder(_ slot: Int) throws {
    guard let action = orders[slot]?.popFirst() else { return }
    if case .start(_, let generation) = action {
      let worker = SimulatedWorker(slot: slot, generation: generation)
      workers[slot] = worker
      everyone.append(worker)
      note("    slot \(slot).\(generation) starts")
      let isStalling = plan.faults.startStalls > 0 && random.chance(plan.faults.startStalls)
      return schedule(worker.first, isStalling ? nil : random.time(upTo: 3_000_000))
    }
    guard let worker = workers[slot], !worker.isDead, !worker.isGone else { return }
    switch action {
    case .prepare(_, worker.generation, let key):
      let process = plan.hasProcessForEach ? worker.add(for: key) : worker.first
      post(.prepare(key), process)
      endForAnother(process)
    case .cancelSetUp(_, worker.generation, let key):
      // Every other one hears of it.
      let process = process(of: worker, for: key)
      if process.isStalled, worker.generation.isMultiple(of: 2), case .preparing(key) = process.activity {
        schedule(process, 1_000_000)
      }
    case .run(_, worker.generation, let chunk):
      let process = process(of: worker, for: chunk.worker)
      post(.run(chunk), process)
      if random.chance(plan.faults.killedFromOutside) {
        let crash = ItemFailure.Cause.crashed(.killedFromOutside, signal: 9)
        agenda.add(.death(process, crash, onlyIdle: false), at: now + random.time(upTo: 40_000_000))
      }
      if random.chance(plan.faults.diesIdle) {
        let crash = ItemFailure.Cause.exited(code: 0)
        agenda.add(.death(process, crash, onlyIdle: true), at: now + random.time(upTo: 40_000_000))
      }
      endForAnother(process)
    case .tearDown(_, worker.generation, let key): post(.tearDown(key), process(of: worker, for: key))
    case .tearDownApart(_, worker.generation, let key, let number):
      // One that does not come to its end is ended with all that is beside it.
      if random.chance(plan.faults.tearDownStalls) { return }
      agenda.add(.leaverEnds(worker, key, number: number), at: now + random.time(upTo: 20_000_000))
    case .stop(_, worker.generation): post(.stop, worker.first)
    case .kill(_, worker.generation):
      worker.isKilled = true
      if plan.faults.outlivesKill > 0, random.chance(plan.faults.outlivesKill) {
        worker.isUndead = true
        for process in worker.processes { process.serial += 1 }
        return note("    slot \(worker.slot).\(worker.generation) does not die")
      }
      for process in worker.processes where !process.isDead {
        if plan.killsAtOnce {
          die(process, .cancelled)
        } else {
          let cause = ItemFailure.Cause.crashed(.signal, signal: 15)
          agenda.add(.death(process, cause, onlyIdle: false), at: now + random.time(upTo: 10_000_000))
        }
      }
    case .revoke(_, worker.generation, let chunk, let start):
      guard let process = process(of: worker, holding: chunk) else { return }
      try answer(.revoked(chunk: chunk, from: process.giveBack(chunk, from: start)), worker)
    case .share(_, worker.generation, let chunk):
      guard let process = process(of: worker, holding: chunk) else { return }
      try answer(.shared(chunk: chunk, process.share(chunk)), worker)
    case .cancel(_, worker.generation, let chunk):
      if let process = process(of: worker, holding: chunk) { cancel(chunk, process) }
    case .inspect(_, worker.generation, let chunk):
      guard let process = process(of: worker, holding: chunk) else { return }
      try answer(.inspected(chunk: chunk, inspect(chunk, process)), worker)
    default: break  // for a worker that is no more
    }
  }

  private func endForAnother(_ process: SimulatedProcess) {
    // Without the fault it is not asked for: what else the seed says stays the same.
    guard plan.faults.endsForAnother > 0, random.chance(plan.faults.endsForAnother) else { return }
    agenda.add(.death(process, .cancelled, onlyIdle: false), at: now + random.time(upTo: 40_000_000))
  }

  /// The process that runs what is for this one of the users' workers.
  private func process(of worker: SimulatedWorker, for key: WorkerKey) -> SimulatedProcess {
    worker.processes.last { $0.key == key } ?? worker.first
  }

  /// The process that has the chunk, or had it and is done with it; nil if that one is gone.
  private func process(of worker: SimulatedWorker, holding chunk: Int) -> SimulatedProcess? {
    if let holder = worker.processes.first(where: { $0.holds(chunk) }) { return holder.isDead ? nil : holder }
    return worker.processes.contains(where: \.isDead) ? nil : worker.first
  }

  private func inspect(_ chunk: Int, _ process: SimulatedProcess) -> Inspection {
    if case .silent = process.activity { return .untouched }
    guard let run = process.run else { return .waiting }
    if run.chunk.id != chunk { return .behind }
    return run.index < run.chunk.range.upperBound ? .item(run.index, since: run.since) : .waiting
  }

  private func cancel(_ chunk: Int, _ process: SimulatedProcess) {
    if process.drop(chunk) { return say(.finished(chunk: chunk, nil, items: 0, elapsed: 0), process.worker) }
    if process.run?.chunk.id == chunk { process.isCancelled = true }
    guard var run = process.run, run.chunk.id == chunk, isCooperative(run.chunk.job) else { return }
    run.isUnwanted = true
    process.activity = .running(run)
  }

  private func isCooperative(_ id: JobID) -> Bool { plans[plansOfJobs[id]!].isCooperative }

  private func post(_ command: SimulatedProcess.Command, _ process: SimulatedProcess) {
    process.mailbox.append(command)
    if process.activity == nil { begin(process) }
  }

  // MARK: What a process does

  /// Its activity will end in so many nanoseconds; nil: never.
  private func schedule(_ process: SimulatedProcess, _ time: UInt64?) {
    process.serial += 1
    process.isStalled = time == nil
    if let time { agenda.add(.process(process, serial: process.serial), at: now + time) }
  }

  private func begin(_ process: SimulatedProcess) {
    guard !process.isDead, process.activity == nil, let command = process.mailbox.popFirst() else { return }
    switch command {
    case .prepare(let key):
      process.activity = .preparing(key)
      if random.chance(plan.faults.setUpStalls) {
        schedule(process, nil)
      } else if random.chance(plan.faults.setUpDawdles) {
        schedule(process, 45_000_000 + random.time(upTo: 20_000_000))
      } else {
        schedule(process, random.time(upTo: 20_000_000))
      }
    case .run(let chunk):
      if random.chance(plan.faults.diesOnReceipt) {
        return die(process, .crashed(.killedFromOutside, signal: 9))
      }
      if random.chance(plan.faults.goesSilent), plans[plansOfJobs[chunk.job]!].itemTimeout != nil {
        process.mailbox.insert(command, at: process.mailbox.startIndex)
        process.activity = .silent
        return schedule(process, nil)
      }
      let first = chunk.range.lowerBound
      process.activity = .running(
        SimulatedProcess.Run(chunk: chunk, index: first, reported: first, since: now, began: now, first: first))
      beginItem(process)
    case .tearDown(let key):
      process.activity = .tearingDown(key)
      schedule(process, random.chance(plan.faults.tearDownStalls) ? nil : random.time(upTo: 20_000_000))
    case .stop:
      process.activity = .stopping
      schedule(process, random.chance(plan.faults.endingStalls) ? nil : random.time(upTo: 1_000_000))
    }
  }

  func activityEnds(_ process: SimulatedProcess) {
    guard let activity = process.activity else { return }
    switch activity {
    case .starting:
      let isStartless = plan.faults.startlessSlots.contains(process.worker.slot)
      if random.chance(plan.faults.diesStarting) || isStartless && plan.faults.diesInStartless {
        return die(process, .exited(code: 1))
      }
      process.activity = nil
      if random.chance(plan.faults.cannotStart) || isStartless {
        process.isDead = true
        return say(.startFailed, process.worker)
      }
      say(.started, process.worker)
    case .preparing(let key):
      if plan.faults.barrenSlots.contains(process.worker.slot) || random.chance(plan.faults.setUpThrows) {
        process.activity = nil
        say(.prepareFailed(key), process.worker)
        if process.key != nil { return leave(process) }
      } else if random.chance(plan.faults.setUpDies) {
        return die(process, .crashed(.trap, signal: 4))
      } else {
        process.activity = nil
        say(.prepared(key), process.worker)
      }
    case .running(let run): return itemEnds(process, run)
    case .tearingDown(let key):
      if random.chance(plan.faults.tearDownDies) {
        return die(process, .crashed(.trap, signal: 4))
      }
      process.activity = nil
      say(.tornDown(key), process.worker)
      if process.key != nil { return leave(process) }
    case .stopping: return die(process, .cancelled)
    case .silent: return
    }
    begin(process)
  }

  private func beginItem(_ process: SimulatedProcess) {
    guard case .running(var run) = process.activity else { return }
    run.since = now
    process.activity = .running(run)
    (process.innerFailed, process.isCancelled) = (false, run.isUnwanted)
    let planned = plans[plansOfJobs[run.chunk.job]!]
    let isStalling = planned.behaviour(run.index, attempt: run.chunk.attempt) == .stalls
    if nests(run) {
      process.serial += 1
      process.isStalled = false
      let time = planned.time(of: run.index, attempt: run.chunk.attempt)
      return agenda.add(.nest(process, serial: process.serial), at: now + time)
    }
    schedule(process, isStalling ? nil : planned.time(of: run.index, attempt: run.chunk.attempt))
  }

  /// Nothing keeps the process's item any more.
  func itemGoesOn(_ process: SimulatedProcess) { schedule(process, random.time(upTo: 100_000)) }

  private func itemEnds(_ process: SimulatedProcess, _ finished: SimulatedProcess.Run) {
    var run = finished
    let planned = plans[plansOfJobs[run.chunk.job]!]
    // Everything is done: the chunk's end was still to be said.
    if run.index == run.chunk.range.upperBound { return chunkEnds(process, run) }
    let behaviour = planned.behaviour(run.index, attempt: run.chunk.attempt)
    if behaviour == .overruns { checkIsEnded(process, run) }
    switch behaviour {
    case .traps: return die(process, .crashed(.trap, signal: 4))
    case .exits: return die(process, .exited(code: 3))
    case _ where behaviour == .throwsError || behaviour == .nests && planned.minds && process.innerFailed:
      sayOutputs(process, &run)
      let retryable = planned.isRetryable(run.index, attempt: run.chunk.attempt)
      say(.itemFailed(chunk: run.chunk.id, index: run.index, retryable: retryable), process.worker)
      run.index += 1
      run.reported = run.index
    case .works, .isSlow, .overruns, .stalls, .dawdles, .throwsError, .nests:
      run.index += 1
      if random.chance(30), run.index < run.chunk.range.upperBound { sayOutputs(process, &run) }
    }
    process.activity = .running(run)
    if run.isUnwanted {
      chunkEnds(process, run)
    } else if run.index == run.chunk.range.upperBound {
      schedule(process, random.time(upTo: 10_000))
    } else {
      beginItem(process)
    }
  }

  /// An item that takes three times as long as it may has to be on its way out by now.
  private func checkIsEnded(_ process: SimulatedProcess, _ run: SimulatedProcess.Run) {
    let job = plansOfJobs[run.chunk.job]!
    let worker = process.worker
    guard plans[job].itemTimeout != nil, !jobs[job].isOver, !worker.isKilled, run.since > ledger.revivedAt,
      ledger.isLive(worker.slot, worker.generation)
    else { return }
    broken = "slot \(worker.slot): item \(run.index) of job \(job + 1) has a limit, and nobody ends it"
  }

  private func chunkEnds(_ process: SimulatedProcess, _ finished: SimulatedProcess.Run) {
    var run = finished
    let isWhole = run.index == run.chunk.range.upperBound
    if !isWhole || random.chance(30) { sayOutputs(process, &run) }
    let outputs = run.reported < run.index ? outputs(of: run) : nil
    let items = run.index - run.first
    say(.finished(chunk: run.chunk.id, outputs, items: items, elapsed: now - run.began), process.worker)
    process.activity = nil
    process.serial += 1
    process.isStalled = false
    begin(process)
  }

  private func outputs(of run: SimulatedProcess.Run) -> SimulatedItems {
    SimulatedItems(job: run.chunk.job, range: run.reported..<run.index)
  }

  private func sayOutputs(_ process: SimulatedProcess, _ run: inout SimulatedProcess.Run) {
    guard run.reported < run.index else { return }
    say(.completed(chunk: run.chunk.id, upTo: run.index, outputs(of: run)), process.worker)
    run.reported = run.index
  }

  // MARK: Death

  func die(_ process: SimulatedProcess, _ cause: ItemFailure.Cause?) {
    guard !process.isDead else { return }
    let worker = process.worker
    let name = process.key.map { " for worker \($0.value)" } ?? ""
    note("    slot \(worker.slot).\(worker.generation)\(name) dies: \(cause.map { "\($0)" } ?? "cancelled")")
    if var run = process.run {
      if !random.chance(plan.faults.losesOutputs) { sayOutputs(process, &run) }
      // Whoever runs is only known if nothing before it is missing. Nobody does who is ended for another slot's sake.
      let isEndedForAnother = cause.isCancelled && !worker.isKilled
      if run.reported == run.index, run.index < run.chunk.range.upperBound, !isEndedForAnother {
        let job = plans[plansOfJobs[run.chunk.job]!]
        worker.running[run.chunk.id] = job.isRetryable(run.index, attempt: run.chunk.attempt)
      }
    }
    process.end()
    // One that is ended is not gone before all of it is.
    // Without the fault it is not asked for, as above.
    let isDoubtful =
      plan.faults.isDoubtful > 0 && !worker.isKilled && !cause.isCancelled && random.chance(plan.faults.isDoubtful)
    if !worker.isKilled || worker.isDead {
      say(.died(running: worker.running, cause, suspects: isDoubtful ? 2 : 1), worker)
    }
  }

  /// The process has done all that it was made for.
  private func leave(_ process: SimulatedProcess) {
    let worker = process.worker
    worker.remove(process)
    if worker.isKilled, worker.isDead { say(.died(running: worker.running, .cancelled), worker) }
  }

  // MARK: Reports

  func say(_ report: Report, _ worker: SimulatedWorker) {
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
    if isLive, report.isTheLast { worker.end() }
    try step("slot \(slot).\(generation)\(isLive ? "" : ", written off"): \(report)") { dispatcher, now in
      switch report {
      case .started: dispatcher.started(slot: slot, generation: generation, now: now)
      case .startFailed: dispatcher.startFailed(slot: slot, generation: generation, WorkerTrouble(), now: now)
      case .prepared(let key): dispatcher.prepared(slot: slot, generation: generation, key, now: now)
      case .prepareFailed(let key):
        dispatcher.prepareFailed(slot: slot, generation: generation, key, WorkerTrouble(), now: now)
      case .tornDown(let key): dispatcher.tornDown(slot: slot, generation: generation, key, now: now)
      case .tornDownApart(let key, let number):
        dispatcher.tornDown(slot: slot, generation: generation, key, apart: number, now: now)
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
      case .shared(let chunk, let found):
        dispatcher.shared(slot: slot, generation: generation, chunk: chunk, found, now: now)
      case .inspected(let chunk, let found):
        dispatcher.inspected(slot: slot, generation: generation, chunk: chunk, found, now: now)
      case .died(let running, let cause, let suspects):
        var death = Death(running: nil, cause: cause)
        death.running = running
        death.suspects = suspects
        dispatcher.died(slot: slot, generation: generation, death, now: now)
      }
    }
  }
}

/// What a simulated worker throws.
struct WorkerTrouble: Error {}
