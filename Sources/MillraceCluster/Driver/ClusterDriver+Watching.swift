import Logging
import Millrace
import MillraceIPC

/// Who works for the job, and what the queue has lost.
extension ClusterDriver {
  func watching(_ run: Int) async {
    let pause = max(.milliseconds(50), min(.milliseconds(500), engine.lease / 4))
    var auditAt = MonotonicTime.now &+ engine.lease.nanoseconds
    while !isOver(run) {
      do {
        try await engine.change(to: .running)
        // In this order: whoever has ended has left before, and whoever has left was told before.
        let isExhausted = launcher.isExhausted
        let members = try await engine.members()
        look(at: members, drained: try await engine.drained(), isExhausted: isExhausted, run)
        launcher.replace(logger: logger)
        if state.withLock({ $0.aloneSince != nil }) { launcher.missAgents(logger: logger) }
        if MonotonicTime.now >= auditAt {
          try await audit()
          auditAt = MonotonicTime.now &+ engine.lease.nanoseconds
        }
      } catch EngineError.lost {
        askToOpen()
      } catch {
        return fail(error, run)
      }
      let isUp = state.withLock { if case .up = $0.phase { true } else { false } }
      try? await Task.sleep(for: isUp ? pause : .milliseconds(10))
    }
  }

  private func look(at members: [Member], drained: Set<String>, isExhausted: Bool, _ run: Int) {
    let now = MonotonicTime.now
    let toldToEnd = state.withLock { state in
      defer { state.drained.formUnion(drained) }
      return drained.subtracting(state.drained)
    }
    let (before, ready, problem) = state.withLock { state -> ([String: Member], [ClusterSeat], EngineError?) in
      let before = state.members
      state.members = Dictionary(members.filter(\.isAlive).map { ($0.name, $0) }) { $1 }
      let fit = state.members.values.filter { $0.refusal.isEmpty }
      if !fit.isEmpty {
        state.aloneSince = nil
        state.hasSaidThatItWaits = false
        guard case .opening = state.phase else { return (before, [], nil) }
        state.phase = .up
        defer { state.waiting = [] }
        return (before, state.waiting, nil)
      }
      let since = state.aloneSince ?? now
      state.aloneSince = since
      if isExhausted, !state.drained.isEmpty {
        return (before, [], .noAgents("no agent is left: they were drained"))
      }
      for member in members where !member.refusal.isEmpty { state.refused[member.name] = member.refusal }
      if let refusal = state.refused.values.first, launcher.hasAll(state.refused.count) || isExhausted {
        return (before, [], .noAgents("no agent may have work: \(refusal)"))
      }
      if isExhausted {
        let why = launcher.whyExhausted.map { ": \($0)" } ?? ""
        return (before, [], .noAgents("no agent is left, and none will come\(why)"))
      }
      guard now &- since >= options.patience.nanoseconds else { return (before, [], nil) }
      if launcher.isOpenEnded { return (before, [], nil) }
      return (before, [], .noAgents("the queue is there, but no agent has come within \(options.patience)"))
    }
    for name in toldToEnd.sorted() {
      logger.notice("an agent is to finish what it has, and to end", metadata: ["agent": "\(name)"])
    }
    tell(members, before)
    if let problem { return fail(problem, run) }
    tellThatItWaits()
    for seat in ready { seat.started() }
  }

  /// Agents that others start may come in hours: then it is said, once, why nothing happens.
  private func tellThatItWaits() {
    let isNews = state.withLock { state in
      guard let since = state.aloneSince, !state.hasSaidThatItWaits else { return false }
      guard MonotonicTime.now &- since >= options.patience.nanoseconds else { return false }
      state.hasSaidThatItWaits = true
      return true
    }
    if isNews { logger.notice("the queue is there, but no agent: whoever starts them is waited for") }
  }

  private func tell(_ members: [Member], _ before: [String: Member]) {
    for member in members where member.isAlive && before[member.name] == nil {
      if member.refusal.isEmpty {
        logger.info("an agent has joined", metadata: about(member))
        let joined = PoolMember(
          name: member.name, host: member.host, process: member.process, slots: member.slots)
        // It may be able to have what the others cannot.
        let errors = state.withLock { state in
          defer { state.hopeless = [:] }
          return state.hopeless
        }
        withExtendedLifetime(errors) {}
        host?.step { $0.memberJoined(joined, now: $1) }
      } else {
        logger.error("an agent may not have work: \(member.refusal)", metadata: about(member))
      }
    }
    for member in before.values where !members.contains(where: { $0.name == member.name && $0.isAlive }) {
      let isLost = members.contains { $0.name == member.name }
      if isLost {
        logger.warning("an agent is lost; what it had goes to others", metadata: about(member))
      } else {
        logger.info("an agent has left", metadata: about(member))
      }
      host?.step { $0.memberLeft(member.name, isLost: isLost, now: $1) }
    }
    for member in members where member.lateResults > 0 { tellLate(member) }
  }

  private func tellLate(_ member: Member) {
    let count = state.withLock { state in
      defer { state.lateResults[member.name] = member.lateResults }
      return member.lateResults - (state.lateResults[member.name] ?? 0)
    }
    guard count > 0 else { return }
    var details = about(member)
    details["results"] = "\(count)"
    logger.notice("results of an agent came too late, and do not count", metadata: details)
    host?.step { $0.resultsLate(of: member.name, count: count, now: $1) }
  }

  private func about(_ member: Member) -> Logger.Metadata {
    ["agent": "\(member.name)", "host": "\(member.host)", "process": "\(member.process)", "slots": "\(member.slots)"]
  }

  /// What is out and nowhere in the queue is submitted again, under a number of its own.
  private func audit() async throws {
    let old = state.withLock { state in
      let limit = MonotonicTime.now &- engine.lease.nanoseconds
      let unsent = Set(state.unsent.elements)
      return state.outstanding.filter { $0.value.since < limit && !unsent.contains($0.key) }.keys.sorted()
    }
    guard !old.isEmpty else { return }
    let missing = try await engine.missing(of: old)
    for id in missing {
      // Its result may have come meanwhile.
      guard let out = state.withLock({ $0.takeOut(id) }) else { continue }
      logger.warning("work was lost in the queue, and is tried again", metadata: ["work": "\(id)"])
      for ticket in out.tickets { ticket.seat.die() }
    }
  }
}
