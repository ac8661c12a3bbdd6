/// The slots in this process: the caller itself, Swift tasks, or threads.
package struct LocalBackend: BackendKind {
  package enum Kind: Sendable {
    case serial
    case tasks
    case threads(cpuIDs: WorkerPool.CPUIDs)
  }

  let kind: Kind

  package func description(width: String) -> String {
    switch kind {
    case .serial: "serial"
    case .tasks: "tasks(\(width))"
    case .threads: "threads(\(width))"
    }
  }

  package var widths: ClosedRange<Int> {
    if case .serial = kind { 1...1 } else { 1...WorkerPool.Backend.maximumWidth }
  }

  package var abilities: BackendAbilities { [.sharesMemory, .usesDispatch, .runsClosures, .sharesObjects] }

  package var limits: DispatchLimits {
    var limits = DispatchLimits()
    limits.startTime = nil
    limits.tearsDownApart = true
    if case .serial = kind {
      limits.levelsAreApart = true
    } else {
      limits.shareTime = DispatchLimits.usualShareTime
      limits.gatherTime = DispatchLimits.usualGatherTime
    }
    return limits
  }

  package func makeSlots(_ host: any SlotHost, width: Int) throws -> any Slots {
    switch kind {
    case .threads(let cpuIDs): try cpuIDs.validate(width: width)
    case .tasks, .serial: break
    }
    return LocalSlots(kind, host: host)
  }
}
