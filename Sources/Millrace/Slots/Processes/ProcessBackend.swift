/// Slots of worker processes.
package struct ProcessBackend: BackendKind {
  let options: WorkerPool.ProcessOptions

  package func description(width: String) -> String {
    var text = "processes(\(width)"
    if options.start != .forkServer { text += ", \(options.start)" }
    if options.threadsPerProcess > 1 { text += ", \(options.threadsPerProcess) threads each" }
    return text + ")"
  }

  package var abilities: BackendAbilities {
    let all: BackendAbilities = [.runsClosures, .sharesObjects, .survivesCrashes, .measuresMemory, .relaysOutput]
    return options.start == .fork ? all : all.union(.usesDispatch)
  }

  /// How many chunks lie in a worker's ring behind the one that runs and the next: with those two it is as many as are read at
  /// once where chunks are small, and they take some tens of KiB of its ring.
  private static let chunksAhead = 1_022

  /// How many workers that no map uses stay, where each of them has a process of its own in each slot.
  private static let keptForks = 4

  package var limits: DispatchLimits {
    var limits = DispatchLimits()
    if options.start == .fork { limits.keptWorkers = Self.keptForks }
    limits.prefetch = Self.chunksAhead
    limits.gatherTime = DispatchLimits.usualGatherTime
    limits.shareTime = DispatchLimits.usualShareTime
    // Whoever is killed has the grace first.
    limits.killTime &+= min(options.grace.nanoseconds, .max / 4)
    return limits
  }

  package func makeSlots(_ host: any SlotHost, width: Int) throws -> any Slots {
    try options.cpuIDs.validate(width: width)
    try options.validate()
    return try ProcessSlots(options, limits: limits, host: host)
  }
}
