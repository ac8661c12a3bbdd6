import MillraceIPC

/// Who has ended a worker process, of the lanes that were in it.
struct Blame {
  private var guilty: Set<ObjectIdentifier> = []
  private let isOurs: Bool
  private let isKnown: Bool
  /// How many may have done it: where it is more than one, nobody knows which.
  private(set) var suspects = 1
  /// What was written down by somebody who cannot be told.
  private(set) var report: CrashReport?

  /// Each lane with its crash record, and the chunk of which an item was running.
  init(_ process: WorkerProcess, _ lanes: [(lane: RemoteLane, report: CrashReport?, running: Int?)]) {
    isOurs = process.isKilledByUs
    // What a fault, `abort`, `raise` or `exit` leaves is of the lane whose thread it came to.
    let known = lanes.filter {
      $0.report != nil && !CrashReport.isAnyones(at: UnsafeRawPointer($0.lane.lane.crashRecord))
    }
    isKnown = !known.isEmpty
    if isKnown {
      guilty = Set(known.map { ObjectIdentifier($0.lane) })
      return
    }
    report = lanes.lazy.compactMap(\.report).first
    // `_exit` ends all threads at once, and a signal to the process comes to any of them: so it may be anybody who was at
    // something of the user's. If nobody was, it was nobody's item.
    let busy = lanes.filter { $0.running != nil || $0.lane.isAtUserCode }
    guilty = Set((busy.isEmpty ? lanes : busy).map { ObjectIdentifier($0.lane) })
    if !isOurs { suspects = max(1, busy.count) }
  }

  /// Whether the lane has to answer for it. `isEnded`: we have ended the process for this lane.
  func isGuilty(_ lane: RemoteLane, isEnded: Bool) -> Bool {
    // Those beside the one that it is ended for are bystanders.
    if isOurs, !isKnown { return isEnded }
    return guilty.contains(ObjectIdentifier(lane))
  }
}

extension RemoteLane {
  /// Whether its worker was in a set-up or a tear-down when it was last seen.
  fileprivate var isAtUserCode: Bool {
    switch lane.snapshot().state {
    case .settingUp, .tearingDown: !work.hasStopped
    default: false
    }
  }
}
