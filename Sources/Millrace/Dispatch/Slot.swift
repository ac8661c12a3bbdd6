extension Dispatcher {
  /// A place where a worker runs: what stays when workers come and go, and the one that is there.
  struct Slot {
    enum Standing {
      /// It is part of the pool.
      case open
      /// It takes no work any more, and is closed when its worker is gone.
      case closing
      case closed
    }

    var standing = Standing.open
    /// Above 0 for a spare slot: it runs maps of this level and above only, in the place of the slots whose items wait for them.
    var level = 0
    /// Of the worker that is there, or was there last.
    var generation = 0
    var worker = Worker()
    /// Its last workers have ended in set-ups before they ran what they could have: the next sets up what it is to run, and nothing ahead.
    var startsBare = false

    /// Whether there is no worker; one is started when there is work.
    var isVacant: Bool { standing != .closed && !worker.isThere }

    /// Whether its worker ends as soon as it is idle.
    var retires: Bool { worker.isSpent || standing != .open }

    /// Whether it runs maps of this level.
    func serves(_ level: Int, apart isApart: Bool) -> Bool { isApart ? self.level == level : self.level <= level }
  }
}

extension Dispatcher.Slot {
  /// The worker in the slot, and all that ends with it. The next one begins with nothing of that.
  struct Worker {
    enum Phase {
      /// There is none.
      case none
      case starting
      /// It is at its chunks, or has nothing to do.
      case ready
      case preparing(WorkerKey, deadline: UInt64?)
      case tearingDown(WorkerKey, deadline: UInt64?)
      /// It was told to end.
      case ending(deadline: UInt64)
    }
    struct Service {
      let worker: WorkerKey
      var items = 0
      let since: UInt64
    }

    /// An instance that was taken out of it, and tears down beside what it is at.
    struct Leaver {
      let worker: WorkerKey
      let number: Int
      var deadline: UInt64
    }

    var phase = Phase.none
    var startedAt: UInt64 = 0
    var assigned = SlotQueue()
    var prepared: [WorkerKey] = []
    var toPrepare: [WorkerKey] = []
    var leavers: [Leaver] = []
    /// Its set-up was told that nobody wants the worker any more: it is no failure of who wants it after all.
    var isSetUpCancelled = false
    /// And it has the time of the grace.
    var isSetUpGivenUp = false
    /// Why it is being ended, whatever it is at.
    var kill: KillReason?
    /// When it is given up, if it was killed.
    var goneBy: UInt64?
    /// It has lived as long as it may, and is replaced.
    var isSpent = false
    /// What each of the users' workers has run and was given to run, and since when it is there.
    var served: [Service] = []
    /// Chunks that it was asked to give back.
    var revoking: Set<Int> = []
    /// Chunks that it did not give back, for they were begun: it is not asked again.
    var begun: Set<Int> = []
    var hasWorked = false
    /// It has not begun what it was given, for so long that others got it, and has done nothing since.
    var isSilent = false
    /// When it was given its first chunk nothing was known of how long such take.
    var isAtUnknown = false
    /// Measured nanoseconds a chunk, of those of a batch too.
    var chunkTime: UInt64 = 0
    /// Since when its first chunk may be running.
    var busySince: UInt64 = 0
    /// When it last said that it has not begun what it was given.
    var unbegunAt: UInt64 = 0
  }
}

extension Dispatcher.Slot.Worker {
  var isThere: Bool { if case .none = phase { false } else { true } }
  var isStarting: Bool { if case .starting = phase { true } else { false } }
  /// Whether it can be told what to do next.
  var isReady: Bool { if case .ready = phase { true } else { false } }
  var isEnding: Bool { if case .ending = phase { true } else { false } }

  /// Whether it has started, and was not told to end.
  var isUp: Bool {
    switch phase {
    case .ready, .preparing, .tearingDown: true
    case .none, .starting, .ending: false
    }
  }

  var isIdle: Bool { isReady && kill == nil && assigned.isEmpty }

  /// How many chunks it may have, at the most: one, and as many more as keep it busy while it is not looked after, if they are short.
  ///
  /// `isOneOfMany`: whatever is handed ahead is not there for others, so how long chunks take has to be known.
  func mostChunks(_ constants: Dispatcher.Constants, ofMany isOneOfMany: Bool) -> Int {
    guard constants.limits.prefetch > 0 else { return 1 }
    if isOneOfMany, chunkTime == 0 || chunkTime >= constants.stallTime || isAtUnknown { return 1 }
    return 2
      + (chunkTime > 0 ? Int(min(UInt64(constants.limits.prefetch), constants.limits.prefetchTime / chunkTime)) : 0)
  }

  /// The chunk that it is at, if a part of it may be given to others.
  func shareable(_ limits: DispatchLimits) -> Chunk? {
    guard limits.shareTime != nil, kill == nil,
      let chunk = assigned.first, chunk.range.count > 1, chunk.slot == nil, chunk.abandonAt == nil,
      !chunk.isAtItsLast, !revoking.contains(chunk.id)
    else { return nil }
    // Of a batch of which nothing comes back any more the last chunk is the one, though those before it were not heard of yet.
    let isAtItsLastChunk = assigned.count == chunk.count && begun.contains(chunk.id)
    return assigned.count == 1 || isAtItsLastChunk ? chunk : nil
  }

  /// Whether it may have to be looked at some time: mostly one that is ready has nothing of which that is so.
  @inline(__always)
  var mayHaveDeadline: Bool {
    if kill != nil { return true }
    switch phase {
    case .none: return false
    case .ready: return assigned.hasDeadlines || !leavers.isEmpty
    case .starting, .preparing, .tearingDown, .ending: return true
    }
  }

  /// When it is to be looked at; `.max`: nobody has set it a limit.
  func deadline(_ limits: DispatchLimits) -> UInt64 {
    if kill != nil { return goneBy ?? .max }
    let ofLeavers = leavers.isEmpty ? UInt64.max : leavers.reduce(.max) { min($0, $1.deadline) }
    return min(ofLeavers, deadlineOfPhase(limits))
  }

  private func deadlineOfPhase(_ limits: DispatchLimits) -> UInt64 {
    switch phase {
    case .none: return .max
    case .starting: return limits.startTime.map { startedAt &+ $0 } ?? .max
    case .ready: return assigned.deadline ?? .max
    case .preparing(_, let deadline), .tearingDown(_, let deadline): return deadline ?? .max
    case .ending(let deadline): return deadline
    }
  }

  /// What it is at beside chunks of the worker, which may last for any time; false: nothing, or it is on its way out.
  func isOccupied(besides worker: WorkerKey) -> Bool {
    switch phase {
    case .ready: kill == nil && !assigned.isEmpty && !assigned.elements.contains { $0.worker == worker }
    case .preparing(let other, _), .tearingDown(let other, _): kill == nil && other != worker
    case .none, .starting, .ending: false
    }
  }

  /// Whether it was given something to run, of what it still has.
  var hasRun: Bool { served.contains { $0.items > 0 } }

  /// Whether it could have run something, and is at a further set-up instead.
  var isSetUpInVain: Bool { if case .preparing = phase { !prepared.isEmpty && !hasRun } else { false } }

  func service(_ worker: WorkerKey) -> Service? { served.first { $0.worker == worker } }

  mutating func serve(_ worker: WorkerKey, _ items: Int) {
    guard let place = served.firstIndex(where: { $0.worker == worker }) else { return }
    served[place].items += items
  }
}
