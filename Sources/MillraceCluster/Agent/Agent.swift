package import Logging
package import Millrace
import MillraceIPC

/// Works for a job: joins, leases chunks, runs them on a pool of its own, and says what came of them, until the job is over, its driver
/// is gone, or it is told to leave.
///
/// ```
///   leasing: lease ─▶ [waiting] ─▶ a task each: run on the pool ─▶ [answers] ─▶ complete, as many as there are
///   beating: renew what is held ─▶ what is refused is given up; what the job has come to
/// ```
///
/// Of short chunks it has some in hand that are not begun (``AgentPace``), so that it need not ask for each.
package final class Agent: Sendable {
  package struct Options: Sendable {
    /// How many chunks it runs at once.
    package var slots = 1
    package var host = ""
    package var process = 0
    /// What runs them.
    package var backend: @Sendable (Int) -> WorkerPool.Backend = { .processes($0) }
    package var manifest = Manifest()
    /// How long it waits for a job that is not there.
    package var patience: Duration = .seconds(30)
    /// What it is called; nil: whatever nobody else is.
    package var name: String?

    package init() {}
  }

  /// Why it has ended.
  package enum End: Sendable, Equatable {
    case finished
    case driverGone
    case told
    /// It has finished what it had, and was to take nothing new.
    case drained
    case refused(String)
    case failed(String)
  }

  private struct State {
    /// What runs, and what of it is at the pool still: the others bring their answers.
    var running: [UInt64: Task<Void, Never>] = [:]
    var atWork = 0
    /// In hand, and not begun.
    var waiting = FIFO<Lease>()
    var pace: AgentPace
    /// How many of what runs somebody else has had before: nobody is to be lost with more of those than can be at work. And whether one of them is
    /// suspected of having been what they were lost for.
    var repeated = 0
    var hasSuspect = false
    /// What the queue says that this agent has, and the agent did not know of when it was asked the last time.
    var unspoken: (ids: Set<UInt64>, asked: Int) = ([], 0)
    /// How often work was asked for, and how often that has ended.
    var asked = 0
    var answered = 0
    /// When it last had nothing in hand but what runs, and so could take over what others have let go of.
    var lookedAt = MonotonicTime.now
    var answers: [Answer] = []
    /// What brings them.
    var bringing: Task<Void, Never>?
    var workers: [Int: any RelayedWorker] = [:]
    var end: End?
    var isDraining = false
    /// What waits for work.
    var leasing: Task<Void, Never>?
    /// Since when the queue has not been heard.
    var unheardSince: UInt64?
  }

  private struct Answer {
    let lease: Lease
    let bytes: [UInt8]
    let taken: UnsafeContinuation<Result<Bool, any Error>, Never>
  }

  package let name: String
  private let engine: any WorkEngine
  private let options: Options
  private let logger: Logger
  private let state: Lock<State>
  /// A place is free, or it is over.
  private let news = TaskBell()
  private let isOver = TaskBell()

  package init(_ engine: any WorkEngine, _ options: Options, logger: Logger) {
    self.engine = engine
    self.options = options
    self.logger = logger
    state = Lock(State(pace: AgentPace(slots: options.slots)))
    name = options.name ?? Self.freshName()
  }

  /// One that no other agent has, whatever started it.
  static func freshName() -> String {
    var random = SystemRandomNumberGenerator()
    return String(UInt64.random(in: .min ... .max, using: &random), radix: 36)
  }

  /// For whoever reads of it.
  private var whole: String { "agent \(name) (process \(options.process) on \(options.host))" }

  /// Ends it soon: what it has goes back to the queue.
  package func leave() { end(.told) }

  private func end(_ end: End) {
    let leasing = state.withLock { state in
      if state.end == nil { state.end = end }
      return state.leasing
    }
    news.ring()
    isOver.ring()
    guard let leasing else { return }
    leasing.cancel()
    Task { [engine] in await engine.interrupt() }
  }

  private var hasEnded: Bool { state.withLock { $0.end != nil } }

  package func run() async -> End {
    do {
      try await join()
      let pool = try WorkerPool(options.backend(options.slots), logger: logger)
      let beating = Task { await self.beat() }
      let leasing = Task { await self.lease(on: pool) }
      state.withLock { $0.leasing = leasing }
      if hasEnded { leasing.cancel() }
      await isOver.waitForRing()
      await Farewell.say {
        await leasing.value
        self.state.withLock { $0.leasing = nil }
        await self.giveBack()
        beating.cancel()
        await beating.value
      }
      beating.cancel()
      await close(pool)
    } catch {
      end(.failed("\(error)"))
    }
    // Tried once, whoever is there.
    await Farewell.say { [engine, name] in
      let goodbye = Task { try? await engine.leave(name) }
      goodbye.cancel()
      await goodbye.value
    }
    await engine.close()
    // They are the user's, and let go of behind the lock.
    _ = state.withLock { state in
      defer { state.workers = [:] }
      return state.workers
    }
    return state.withLock { $0.end } ?? .finished
  }

  // MARK: Joining

  private func join() async throws {
    let limit = MonotonicTime.now &+ options.patience.nanoseconds
    var manifest = try await engine.manifest()
    while manifest == nil, !hasEnded {
      guard MonotonicTime.now < limit else { throw EngineError.refused("no such job") }
      try await Task.sleep(for: .milliseconds(100))
      manifest = try await engine.manifest()
    }
    guard let manifest else { return }
    try await enter(Manifest(bytes: manifest))
  }

  private func enter(_ manifest: Manifest) async throws {
    var member = Member(name: name)
    (member.host, member.process, member.slots) = (options.host, options.process, options.slots)
    let refusal = manifest.refusal(of: options.manifest)
    member.refusal = refusal ?? ""
    try await engine.join(member)
    guard let refusal else { return }
    logger.error("this agent may not have work: \(refusal)")
    end(.refused(refusal))
    // The driver is to see it.
    try await Task.sleep(for: beatPause * 3)
  }

  // MARK: Leasing

  private func lease(on pool: WorkerPool) async {
    while !hasEnded {
      let (room, isDraining, isIdle, takesSuspect) = state.withLock { state in
        (
          self.room(state), state.isDraining, state.running.isEmpty && state.waiting.isEmpty,
          !state.hasSuspect && !state.waiting.elements.contains(where: \.isSuspect)
        )
      }
      if isDraining {
        if isIdle { return end(.drained) }
        await news.waitForRing()
        continue
      }
      guard room.now > 0 || room.ahead > 0 else {
        await news.waitForRing()
        continue
      }
      state.withLock { $0.asked += 1 }
      defer { state.withLock { $0.answered += 1 } }
      do {
        let leases = try await engine.lease(
          upTo: room.now, ahead: room.ahead, takesSuspect: takesSuspect, for: name, within: .milliseconds(500))
        state.withLock { state in
          if room.now > 0 { state.lookedAt = MonotonicTime.now }
          for lease in leases where state.running[lease.work.id] == nil { state.waiting.append(lease) }
        }
        begin(on: pool)
      } catch EngineError.lost {
        // It has forgotten everything. Its driver makes it anew, and the beat joins again.
        try? await Task.sleep(for: .milliseconds(100))
      } catch EngineError.unreachable {
        try? await Task.sleep(for: .milliseconds(100))
      } catch {
        end(.failed("\(error)"))
      }
    }
  }

  /// For how many there is a slot, and how many more are wanted.
  private func room(_ state: State) -> (now: Int, ahead: Int) {
    let held = state.atWork + state.waiting.count
    let now = max(0, options.slots - held)
    let time = MonotonicTime.now
    let looksLate = time &- state.lookedAt >= min(engine.lease.nanoseconds / 4, 1_000_000_000)
    if state.repeated > 0 || looksLate || state.atWork > 0 && state.pace.isStuck(at: time) { return (now, 0) }
    let (most, ahead) = (state.pace.ahead, options.slots + state.pace.ahead - max(held, options.slots))
    // Few at a time are as much to ask for as many.
    return (now, now > 0 || 2 * ahead >= most ? max(0, ahead) : 0)
  }

  /// Begins what there is a slot for.
  private func begin(on pool: WorkerPool) {
    let now = MonotonicTime.now
    state.withLock { state in
      while state.end == nil, state.atWork < state.pace.together, let lease = state.waiting.popFirst() {
        let number = state.pace.enter(at: now)
        state.atWork += 1
        state.repeated += lease.isRepeated ? 1 : 0
        if lease.isSuspect { state.hasSuspect = true }
        state.running[lease.work.id] = Task {
          await self.work(lease, number, since: now, pool)
          self.state.withLock { $0.running[lease.work.id] = nil }
          self.news.ring()
        }
      }
    }
  }

  private func work(_ lease: Lease, _ number: Int, since entered: UInt64, _ pool: WorkerPool) async {
    let id = lease.work.id
    let run: Result<ChunkAnswer?, any Error>
    do { run = .success(try await self.run(lease, pool)) } catch { run = .failure(error) }
    if case .success(.noWorker(let error)) = run {
      // What cannot be run here is left to others for a moment: the slot stays taken.
      _ = try? await complete(lease, .noWorker(error))
      try? await Task.sleep(for: .milliseconds(200))
    }
    state.withLock { state in
      let now = MonotonicTime.now
      let time = now - state.pace.beginning(of: number, entered: entered)
      state.atWork -= 1
      state.repeated -= lease.isRepeated ? 1 : 0
      if lease.isSuspect { state.hasSuspect = false }
      if case .success(.frames) = run { state.pace.leave(at: now, took: time) } else { state.pace.leave(at: now) }
    }
    begin(on: pool)
    news.ring()
    do {
      guard case .frames(let frames) = try run.get(), !Task.isCancelled else { return }
      if try await !complete(lease, .frames(frames)) {
        logger.notice("a result came too late, and does not count", metadata: ["work": "\(id)"])
      }
    } catch {
      // It was given up, or cannot be said: its lease runs out.
      if !Task.isCancelled { logger.error("\(error)", metadata: ["work": "\(id)"]) }
    }
  }

  /// Brings the answer, with what others have been found meanwhile.
  private func complete(_ lease: Lease, _ answer: ChunkAnswer) async throws -> Bool {
    let bytes = answer.bytes
    return try await withUnsafeContinuation { taken in
      state.withLock { state in
        state.answers.append(Answer(lease: lease, bytes: bytes, taken: taken))
        if state.bringing == nil { state.bringing = Task { await self.bring() } }
      }
    }.get()
  }

  private func bring() async {
    while true {
      let answers: [Answer] = state.withLock { state in
        var (count, size) = (0, 0)
        while count < state.answers.count, count < 256, size < 4 << 20 {
          size += state.answers[count].bytes.count
          count += 1
        }
        if count == 0 { state.bringing = nil }
        defer { state.answers.removeFirst(count) }
        return Array(state.answers.prefix(count))
      }
      guard !answers.isEmpty else { return }
      do {
        let areFirst = try await engine.complete(answers.map { ($0.lease.work.id, $0.bytes) }, by: name)
        for (answer, isFirst) in zip(answers, areFirst) { answer.taken.resume(returning: .success(isFirst)) }
      } catch EngineError.refused(let why) {
        for answer in answers { answer.taken.resume(returning: await bringAlone(answer, why)) }
      } catch {
        for answer in answers { answer.taken.resume(returning: .failure(error)) }
      }
    }
  }

  /// An answer that the queue does not take, for it has no room, is the items' failure: else they would be run for ever.
  private func bringAlone(_ answer: Answer, _ why: String) async -> Result<Bool, any Error> {
    let (id, size) = (answer.lease.work.id, answer.bytes.count)
    do {
      do { return .success(try await engine.complete(id, answer.bytes, by: name)) } catch EngineError.refused(let why) {
        let text = "the queue does not take what came of it, which is \(size) bytes: \(why)"
        logger.error("\(text)", metadata: ["work": "\(id)"])
        let failure = try ChunkAnswer.failure(
          of: ChunkOrder(bytes: answer.lease.work.bytes), TransportError(.connectionLost, text))
        return .success(try await engine.complete(id, failure.bytes, by: name))
      }
    } catch { return .failure(error) }
  }

  /// Nil: it is not wanted any more.
  private func run(_ lease: Lease, _ pool: WorkerPool) async throws -> ChunkAnswer? {
    do {
      let order = try ChunkOrder(bytes: lease.work.bytes)
      guard let worker = try await worker(order.worker) else { return nil }
      var conditions = RelayConditions(itemTimeout: order.itemTimeout, setUpTimeout: order.setUpTimeout)
      if lease.isRepeated {
        conditions.apart = { [engine, name, whole] place, offset in
          let losses = try await engine.started(
            lease.work.id, item: place << 32 + offset, by: name, called: whole)
          guard losses.count >= order.maximumLosses else { return nil }
          let last = losses.last.map { "the \($0)" } ?? "an agent"
          let error = TransportError(.connectionLost, "\(last) was lost while it had the item")
          return .quarantined(crashes: losses.count, last: .undecodable(error))
        }
      }
      return .frames(try await worker.run(order.frames, on: pool, conditions))
    } catch let error as WorkerPoolError where error.kind == .setUpFailed || error.kind == .cannotStart {
      return .noWorker(error)
    }
  }

  private func worker(_ key: Int) async throws -> (any RelayedWorker)? {
    if let worker = state.withLock({ $0.workers[key] }) { return worker }
    guard let announcement = try await engine.announcement(of: key) else { return nil }
    let worker: any RelayedWorker
    do { worker = try WorkerParcel.unpack(announcement) } catch {
      throw WorkerPoolError(.setUpFailed, "the worker cannot be made by an agent", underlying: error.forUsers)
    }
    _ = state.withLock { $0.workers.updateValue(worker, forKey: key) }
    return worker
  }

  /// What it still has goes to others at once.
  private func giveBack() async {
    let (running, waiting, bringing) = state.withLock { state in
      defer { state.waiting.removeAll() }
      return (state.running, state.waiting.elements.map(\.work.id), state.bringing)
    }
    for task in running.values { task.cancel() }
    bringing?.cancel()
    let release = Task { [engine, name] in
      try? await engine.release(Array(running.keys) + waiting, by: name)
    }
    // Tried once, whoever is there.
    release.cancel()
    await release.value
    for task in running.values { await task.value }
  }

  /// How long its workers may take to be torn down. Whoever has launched it kills it soon after that.
  private static let closingTime: Duration = .seconds(8)

  /// Nothing is wanted any more of what runs: the workers are torn down, whatever it ends for.
  private func close(_ pool: WorkerPool) async {
    let closing = Task { try await pool.shutdown() }
    let alarm = Task {
      do { try await Task.sleep(for: Self.closingTime) } catch { return }
      closing.cancel()
    }
    do { try await closing.value } catch { logger.error("\(error)") }
    alarm.cancel()
    await alarm.value
  }

  // MARK: Beating

  private var beatPause: Duration { max(.milliseconds(100), min(.seconds(1), engine.lease / 3)) }

  private func beat() async {
    var last = MonotonicTime.now
    while !hasEnded {
      do { try await Task.sleep(for: .milliseconds(100)) } catch { return }
      await handBack()
      guard MonotonicTime.now &- last >= beatPause.nanoseconds else { continue }
      last = MonotonicTime.now
      let ids = state.withLock { Array($0.running.keys) + $0.waiting.elements.map(\.work.id) }
      do {
        try await heed(engine.renew(ids, for: name))
      } catch let error as EngineError {
        if Task.isCancelled { return }
        guard case .refused = error else {
          unheard(.failed("\(error)"))
          continue
        }
        end(.failed("\(error)"))
      } catch {
        end(.failed("\(error)"))
      }
    }
  }

  /// What was had ahead, and waits behind what takes long after all, is there for all again.
  private func handBack() async {
    let ids = state.withLock { state in
      guard !state.waiting.isEmpty, state.pace.isStuck(at: MonotonicTime.now) else { return [UInt64]() }
      defer { state.waiting.removeAll() }
      return state.waiting.elements.map(\.work.id)
    }
    guard !ids.isEmpty else { return }
    do { try await engine.release(ids, by: name) } catch {
      logger.warning("what waits here cannot be given back, and comes back when its lease is over: \(error)")
    }
  }

  /// What the queue says that this agent has, and the agent has not heard of when all is answered that it had asked by then, it will not hear of: the
  /// connection has ended with the answer.
  private func giveBack(unspoken: Set<UInt64>) async throws {
    let lost = state.withLock { state in
      let before = state.unspoken
      state.unspoken = (unspoken, state.asked)
      guard state.answered >= before.asked else { return Set<UInt64>() }
      let held = Set(state.running.keys).union(state.waiting.elements.map(\.work.id))
      return unspoken.intersection(before.ids).subtracting(held)
    }
    guard !lost.isEmpty else { return }
    logger.notice("an answer of the queue was lost, and what was in it goes back", metadata: ["count": "\(lost.count)"])
    try await engine.release(lost.sorted(), by: name)
  }

  private func heed(_ renewal: Renewal) async throws {
    let lost = state.withLock { state in
      _ = state.waiting.extract { renewal.refused.contains($0.work.id) }
      return renewal.refused.compactMap { state.running[$0] }
    }
    for task in lost { task.cancel() }
    try await giveBack(unspoken: Set(renewal.unspoken))
    switch renewal.phase {
    case .running?: state.withLock { $0.unheardSince = nil }
    case .draining?:
      state.withLock { $0.isDraining = true }
      news.ring()
    case .finished?: end(.finished)
    case nil: return unheard(.driverGone)
    }
    if !renewal.isMember, !hasEnded, let manifest = try await engine.manifest() {
      try await enter(Manifest(bytes: manifest))
    }
  }

  /// Nobody has said that the job is alive. After a lease, it is not.
  private func unheard(_ end: End) {
    let isOver = state.withLock { state in
      let since = state.unheardSince ?? MonotonicTime.now
      state.unheardSince = since
      return MonotonicTime.now &- since >= engine.lease.nanoseconds
    }
    if isOver { self.end(end) }
  }
}
