import Millrace
import MillraceIPC

/// The contract in one process: for tests, and to read. What others do with a server, it does under a lock.
package final class InMemoryEngine: WorkEngine {
  /// What driver and agents have in common.
  package final class Server: Sendable {
    fileprivate struct Entry {
      var bytes: [UInt8]
      var holder: String?
      var until: UInt64 = 0
      /// How often somebody has got it.
      var leases = 0
      /// Whether whoever had it first gave it back, or had it ahead.
      var wasReleased = false
      /// What was begun of it last.
      var begun: Beginning?
      /// What the agent is called that has begun it, and did not give it back.
      var last: String?
    }
    /// An agent has begun an item.
    fileprivate struct Beginning {
      var agent: String
      var item: Int
      /// In which lease.
      var lease: Int
      /// Who had begun something before that.
      var prior: String?
    }
    fileprivate struct State {
      var epoch = 0
      var manifest: [UInt8]?
      var phase = JobPhase.running
      var driverUntil: UInt64 = 0
      /// How often the driver has said that it lives.
      var beats = 0
      var announcements: [Int: [UInt8]] = [:]
      var lastID: UInt64 = 0
      var work: [UInt64: Entry] = [:]
      var results: [WorkResult] = []
      var starts: [UInt64: [Int: Int]] = [:]
      var members: [String: (member: Member, until: UInt64)] = [:]
      var drains: Set<String> = []
      var runs: [String: (head: [UInt8], delivered: [UInt8])] = [:]
    }
    /// Who waits for what there is to change. Apart from it: whatever it goes back to, nobody who waits is forgotten.
    private struct Sleepers {
      var continuations: [Int: UnsafeContinuation<Void, Never>] = [:]
      var count = 0
      /// Who was woken before it slept.
      var woken: Set<Int> = []
    }
    private let room = Lock((state: State(), sleepers: Sleepers()))

    package init() {}

    /// Everything is gone, as when a server without persistence was killed.
    package func forget() { change { $0 = State() } }

    /// What there was at a time.
    package struct Past: Sendable { fileprivate var state: State }

    package var past: Past { Past(state: look { $0 }) }

    /// It has what it had then, as when a server was killed that had written it down.
    package func goBack(to past: Past) { change { $0 = past.state } }

    /// What is left of the job.
    package var isEmpty: Bool {
      look { $0.work.isEmpty && $0.results.isEmpty && $0.starts.isEmpty && $0.members.isEmpty }
    }

    fileprivate func look<R>(_ body: (State) throws -> R) rethrows -> R { try room.withLock { try body($0.state) } }

    /// Changes something that somebody may be waiting for.
    fileprivate func change<R>(_ body: (inout State) throws -> R) rethrows -> R {
      let (result, sleepers) = try room.withLock { room in
        let result = try body(&room.state)
        defer { room.sleepers.continuations = [:] }
        return (result, Array(room.sleepers.continuations.values))
      }
      for sleeper in sleepers { sleeper.resume() }
      return result
    }

    /// Waits until `look` finds something, or so long.
    fileprivate func wait<R>(within limit: Duration, for look: (inout State) throws -> R?) async throws -> R? {
      let end = MonotonicTime.now &+ limit.nanoseconds
      while true {
        let (found, ticket) = try room.withLock { room in
          room.sleepers.count += 1
          return (try look(&room.state), room.sleepers.count)
        }
        let now = MonotonicTime.now
        if found != nil || now >= end || Task.isCancelled { return found }
        let alarm = Task {
          try? await Task.sleep(for: .nanoseconds(min(end - now, 50_000_000)))
          self.wake(ticket)
        }
        await withTaskCancellationHandler {
          await withUnsafeContinuation { sleeper in
            let isAwake = room.withLock { room in
              if room.sleepers.woken.remove(ticket) != nil { return true }
              room.sleepers.continuations[ticket] = sleeper
              return false
            }
            if isAwake { sleeper.resume() }
          }
        } onCancel: {
          self.wake(ticket)
        }
        alarm.cancel()
        await alarm.value
        _ = room.withLock { $0.sleepers.woken.remove(ticket) }
      }
    }

    private func wake(_ ticket: Int) {
      let sleeper = room.withLock { room in
        let sleeper = room.sleepers.continuations.removeValue(forKey: ticket)
        if sleeper == nil { room.sleepers.woken.insert(ticket) }
        return sleeper
      }
      sleeper?.resume()
    }
  }

  package let lease: Duration
  private let server: Server
  /// Which driver this is; 0: none, yet.
  private let epoch = Lock(0)
  /// How often the queue has heard that it lives.
  private let beats = Lock(0)

  package init(_ server: Server, lease: Duration = .seconds(30)) {
    self.server = server
    self.lease = lease
  }

  private var until: UInt64 { MonotonicTime.now &+ lease.nanoseconds }

  private func asDriver<R>(_ body: (inout Server.State) throws -> R) throws -> R {
    let epoch = epoch.withLock { $0 }
    return try server.change { state in
      try Self.check(epoch, state)
      return try body(&state)
    }
  }

  private static func check(_ epoch: Int, _ state: Server.State) throws {
    if state.epoch < epoch { throw EngineError.lost }
    if state.epoch > epoch { throw EngineError.fenced("epoch \(state.epoch), not \(epoch)") }
  }

  // MARK: The driver

  package func open(_ manifest: [UInt8]) async throws -> UInt64 {
    let epoch = epoch.withLock { $0 }
    let (mine, last) = try server.change { state in
      if epoch == 0 {
        // Later than those that were forgotten.
        state.epoch = max(state.epoch + 1, Int(MonotonicTime.now))
      } else if state.epoch < epoch {
        state.epoch = epoch
      } else {
        try Self.check(epoch, state)
      }
      state.manifest = manifest
      state.phase = .running
      state.driverUntil = until
      return (state.epoch, state.lastID)
    }
    self.epoch.withLock { $0 = mine }
    beats.withLock { $0 = 0 }
    return last
  }

  package func announce(_ worker: Int, _ announcement: [UInt8]) async throws {
    try asDriver { $0.announcements[worker] = announcement }
  }

  package func submit(_ work: [Work]) async throws {
    try asDriver { state in
      for work in work where work.id > state.lastID {
        state.work[work.id] = Server.Entry(bytes: work.bytes)
        state.lastID = work.id
      }
    }
  }

  package func results(upTo count: Int, within wait: Duration) async throws -> [WorkResult] {
    let epoch = epoch.withLock { $0 }
    return try await server.wait(within: wait) { state in
      try Self.check(epoch, state)
      let results = Array(state.results.prefix(count))
      state.results.removeFirst(results.count)
      return results.isEmpty ? nil : results
    } ?? []
  }

  package func settle() async throws { try asDriver { _ in } }

  package func missing(of ids: [UInt64]) async throws -> [UInt64] {
    try asDriver { state in
      let results = Set(state.results.map(\.id))
      return ids.filter { state.work[$0] == nil && !results.contains($0) }
    }
  }

  package func members() async throws -> [Member] {
    let now = MonotonicTime.now
    return try asDriver { state in
      state.members.values.map { entry in
        var member = entry.member
        member.isAlive = entry.until > now
        member.isDraining = state.drains.contains(member.name)
        return member
      }.sorted { $0.name < $1.name }
    }
  }

  package func drained() async throws -> Set<String> { try asDriver { $0.drains } }

  package func cancel(_ ids: [UInt64]) async throws {
    try asDriver { state in
      for id in ids {
        state.work[id] = nil
        state.starts[id] = nil
      }
    }
  }

  package func change(to phase: JobPhase) async throws {
    let known = beats.withLock { $0 }
    let beats = try asDriver { state in
      guard state.beats >= known else { throw EngineError.lost }
      state.beats += 1
      state.phase = phase
      state.driverUntil = until
      return state.beats
    }
    self.beats.withLock { if $0 == known { $0 = beats } }
  }

  package func resume(
    _ run: String, _ head: [UInt8], delivered known: [UInt8]
  ) async throws -> (head: [UInt8], delivered: [UInt8]) {
    try asDriver { state in
      var entry = state.runs[run] ?? (head, known)
      if entry.head == head {
        let missing = max(0, known.count - entry.delivered.count)
        entry.delivered += [UInt8](repeating: 0, count: missing)
        for (place, byte) in known.enumerated() { entry.delivered[place] |= byte }
      }
      state.runs[run] = entry
      return entry
    }
  }

  package func delivered(_ indices: [Int], of run: String) async throws {
    try asDriver { state in
      guard var entry = state.runs[run] else { throw EngineError.lost }
      for index in indices { ClusterRun.set(index, in: &entry.delivered) }
      state.runs[run] = entry
    }
  }

  package func forget(_ run: String) async throws { try asDriver { $0.runs[run] = nil } }

  package func finish() async throws {
    try asDriver { state in
      let (epoch, runs) = (state.epoch, state.runs)
      state = Server.State()
      (state.epoch, state.phase, state.driverUntil, state.runs) = (epoch, .finished, until, runs)
    }
  }

  // MARK: An agent

  package func manifest() async throws -> [UInt8]? { server.look { $0.manifest } }

  package func join(_ member: Member) async throws {
    server.change { $0.members[member.name] = (member, until) }
  }

  package func announcement(of worker: Int) async throws -> [UInt8]? {
    server.look { $0.announcements[worker] }
  }

  package func lease(
    upTo count: Int, ahead: Int, takesSuspect: Bool, for agent: String, within wait: Duration
  ) async throws -> [Lease] {
    try await server.wait(within: wait) { state in
      let now = MonotonicTime.now
      guard state.members[agent].map({ $0.until > now }) == true else { return nil }
      let free = state.work.filter {
        $0.value.leases == 0 || count > 0 && ($0.value.holder == nil || $0.value.until <= now)
      }.keys.sorted()
      var leases: [Lease] = []
      var takesSuspect = takesSuspect
      for id in free where leases.count < count + ahead {
        guard var entry = state.work[id] else { continue }
        let isSuspect = entry.leases > 1
        if isSuspect, !takesSuspect { continue }
        takesSuspect = takesSuspect && !isSuspect
        leases.append(
          Lease(Work(id: id, bytes: entry.bytes), isRepeated: entry.leases > 0, isSuspect: isSuspect))
        if entry.leases == 0, leases.count > count { entry.wasReleased = true }
        (entry.holder, entry.until, entry.leases) = (agent, until, entry.leases + 1)
        state.work[id] = entry
      }
      return leases.isEmpty ? nil : leases
    } ?? []
  }

  package func started(_ id: UInt64, item: Int, by agent: String, called title: String) async throws -> Losses {
    server.change { state in
      guard var entry = state.work[id] else { return Losses(0) }
      var starts = state.starts[id] ?? [:]
      let begun = entry.begun.flatMap { $0.agent == agent && $0.lease == entry.leases ? $0 : nil }
      let prior = begun.map(\.prior) ?? entry.last
      if begun?.item != item {
        starts = starts.filter { $0.key >= item }
        starts[item, default: entry.wasReleased ? 0 : 1] += 1
        entry.begun = Server.Beginning(agent: agent, item: item, lease: entry.leases, prior: prior)
        entry.last = title
        (state.starts[id], state.work[id]) = (starts, entry)
      }
      let before = (starts[item] ?? 1) - 1
      return Losses(before, last: before > 0 ? prior : nil)
    }
  }

  package func renew(_ ids: [UInt64], for agent: String) async throws -> Renewal {
    let now = MonotonicTime.now
    return server.change { state in
      var refused: [UInt64] = []
      for id in ids {
        if state.work[id]?.holder == agent { state.work[id]?.until = until } else { refused.append(id) }
      }
      let isMember = state.members[agent] != nil
      state.members[agent]?.until = until
      var phase = state.epoch == 0 || state.driverUntil <= now ? nil : state.phase
      if phase == .running, state.drains.contains(agent) { phase = .draining }
      let unspoken = state.work.filter { $0.value.holder == agent && !ids.contains($0.key) }.keys.sorted()
      return Renewal(refused: refused, phase: phase, isMember: isMember, unspoken: unspoken)
    }
  }

  package func complete(_ results: [(id: UInt64, bytes: [UInt8])], by agent: String) async throws -> [Bool] {
    server.change { state in
      results.map { id, bytes in
        guard state.work.removeValue(forKey: id) != nil else {
          if state.results.contains(where: { $0.id == id && $0.agent == agent }) { return true }
          state.members[agent]?.member.lateResults += 1
          return false
        }
        state.starts[id] = nil
        state.results.append(WorkResult(id: id, agent: agent, bytes: bytes))
        state.members[agent]?.member.results += 1
        return true
      }
    }
  }

  package func release(_ ids: [UInt64], by agent: String) async throws {
    server.change { state in
      for id in ids {
        guard var entry = state.work[id], entry.holder == agent else { continue }
        entry.holder = nil
        if entry.leases == 1, state.starts[id] == nil { entry.wasReleased = true }
        if let begun = entry.begun, begun.agent == agent, begun.lease == entry.leases {
          state.starts[id]?[begun.item, default: 1] -= 1
          (entry.begun, entry.last) = (nil, begun.prior)
        }
        state.work[id] = entry
      }
    }
  }

  package func leave(_ agent: String) async throws {
    server.change { $0.members[agent] = nil }
  }

  // MARK: Whoever looks after it

  package func drain(_ agents: [String]) async throws -> [String] {
    server.change { state in
      let told = agents.filter { state.members[$0] != nil }
      state.drains.formUnion(told)
      return told
    }
  }

  package func clean() async throws -> Int {
    let now = MonotonicTime.now
    return try server.change { state in
      guard state.driverUntil <= now || state.phase == .finished else { throw EngineError.live("its driver is there") }
      let count = state.work.count + state.results.count + state.members.count + state.runs.count
      state = Server.State()
      return count
    }
  }

  package func interrupt() async {}
  package func close() async {}
}
