extension Dispatcher {
  /// Appends what has just happened, before the actions that follow from it.
  ///
  /// What only observers want is told `if isObserved`; what the log may have to say is told in any case, and is rare.
  @inline(never)
  mutating func tell(_ event: consuming DispatchEvent) {
    actions.append(.note(PoolEvent(time: now, event: event)))
  }

  /// The pool as it is. What is told after that belongs to it (``PoolSnapshot/apply(_:at:)``).
  package func snapshot(now: UInt64) -> PoolSnapshot {
    var snapshot = PoolSnapshot(time: now, width: width, closing: closing, hasStopped: hasStopped)
    (snapshot.members, snapshot.lateResults) = (constants.members, constants.lateResults)
    for (id, job) in jobs.entries where !job.ended { snapshot.jobs[id] = job.snapshot }
    for slot in slots {
      snapshot.slots.append(slot.snapshot)
      for chunk in slot.worker.assigned.elements { snapshot.jobs[chunk.job]?.running += chunk.range.count }
    }
    return snapshot
  }

  /// Whether the job has items that were read and have no outcome yet.
  package func isAtItems(of id: JobID) -> Bool {
    guard let job = jobs[id], !job.ended else { return false }
    return job.read > job.done + job.failures
  }
}

extension Dispatcher.Job {
  var totals: JobTotals {
    var totals = JobTotals()
    totals.read = read
    totals.done = done
    totals.failed = failures
    totals.retried = retried
    return totals
  }

  fileprivate var snapshot: PoolSnapshot.Job {
    PoolSnapshot.Job(
      worker: spec.worker, level: spec.level, total: inputEnded ? read : spec.total, counts: totals,
      hasReadAll: inputEnded)
  }
}

extension Dispatcher.Slot {
  fileprivate var snapshot: PoolSnapshot.Slot {
    let work = worker.assigned.elements.map { chunk in
      PoolSnapshot.Work(chunk: chunk.id, job: chunk.job, items: chunk.range, attempt: chunk.attempt)
    }
    return PoolSnapshot.Slot(
      state: state, level: level, generation: generation, work: work, since: work.isEmpty ? nil : worker.busySince)
  }

  private var state: PoolSnapshot.Slot.State {
    if worker.kill != nil { return .killed }
    switch worker.phase {
    case .none: return standing == .closed ? .closed : .empty
    case .starting: return .starting
    case .ending: return .ending
    case .preparing(let key, _): return .settingUp(key)
    case .tearingDown(let key, _): return .tearingDown(key)
    case .ready: return worker.assigned.isEmpty ? .idle : .working
    }
  }
}
