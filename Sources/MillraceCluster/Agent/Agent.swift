package import Logging
package import Millrace
import MillraceIPC

/// Works for a job: joins, leases chunks, runs them on a pool of its own, and says what came of them, until the job is over, its driver
/// is gone, or it is told to leave.
///
/// ```
///   leasing: lease ─▶ a task each: run on the pool ─▶ complete
///   beating: renew what is held ─▶ what is refused is given up; what the job has come to
/// ```
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
    var running: [UInt64: Task<Void, Never>] = [:]
    var workers: [Int: any RelayedWorker] = [:]
    var end: End?
    var isDraining = false
    /// What waits for work.
    var leasing: Task<Void, Never>?
    /// Since when the queue has not been heard.
    var unheardSince: UInt64?
  }

  package let name: String
  private let engine: any WorkEngine
  private let options: Options
  private let logger: Logger
  private let state = Lock(State())
  /// A place is free, or it is over.
  private let news = TaskBell()
  private let isOver = TaskBell()

  package init(_ engine: any WorkEngine, _ options: Options, logger: Logger) {
    self.engine = engine
    self.options = options
    self.logger = logger
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
      let (held, isDraining) = state.withLock { ($0.running.count, $0.isDraining) }
      if isDraining {
        if held == 0 { return end(.drained) }
        await news.waitForRing()
        continue
      }
      guard held < options.slots else {
        await news.waitForRing()
        continue
      }
      do {
        let leases = try await engine.lease(upTo: options.slots - held, for: name, within: .milliseconds(500))
        for lease in leases { begin(lease, pool) }
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

  private func begin(_ lease: Lease, _ pool: WorkerPool) {
    let id = lease.work.id
    state.withLock { state in
      guard state.running[id] == nil else { return }
      state.running[id] = Task {
        await self.work(lease, pool)
        self.state.withLock { $0.running[id] = nil }
        self.news.ring()
      }
    }
  }

  private func work(_ lease: Lease, _ pool: WorkerPool) async {
    let id = lease.work.id
    do {
      guard let answer = try await run(lease, pool) else { return }
      if Task.isCancelled { return }
      if try await !complete(lease, answer) {
        logger.notice("a result came too late, and does not count", metadata: ["work": "\(id)"])
      }
      // What cannot be run here is left to others for a moment.
      if case .noWorker = answer { try await Task.sleep(for: .milliseconds(200)) }
    } catch {
      // It was given up, or cannot be said: its lease runs out.
      if !Task.isCancelled { logger.error("\(error)", metadata: ["work": "\(id)"]) }
    }
  }

  /// Brings the answer. One that the queue does not take, for it has no room, is the items' failure: else they would be run for ever.
  private func complete(_ lease: Lease, _ answer: ChunkAnswer) async throws -> Bool {
    let id = lease.work.id
    let bytes = answer.bytes
    do { return try await engine.complete(id, bytes, by: name) } catch EngineError.refused(let why) {
      let text = "the queue does not take what came of it, which is \(bytes.count) bytes: \(why)"
      logger.error("\(text)", metadata: ["work": "\(id)"])
      let error = TransportError(.connectionLost, text)
      return try await engine.complete(
        id, ChunkAnswer.failure(of: ChunkOrder(bytes: lease.work.bytes), error).bytes, by: name)
    }
  }

  /// Nil: it is not wanted any more.
  private func run(_ lease: Lease, _ pool: WorkerPool) async throws -> ChunkAnswer? {
    do {
      let order = try ChunkOrder(bytes: lease.work.bytes)
      guard let worker = try await worker(order.worker) else { return nil }
      var conditions = RelayConditions(itemTimeout: order.itemTimeout, setUpTimeout: order.setUpTimeout)
      var frames: [RemoteFrame] = []
      for (place, frame) in order.frames.enumerated() {
        if lease.isRepeated {
          conditions.apart = { [engine, name, whole] offset in
            let losses = try await engine.started(
              lease.work.id, item: place << 32 + offset, by: name, called: whole)
            guard losses.count >= order.maximumLosses else { return nil }
            let last = losses.last.map { "the \($0)" } ?? "an agent"
            let error = TransportError(.connectionLost, "\(last) was lost while it had the item")
            return .quarantined(crashes: losses.count, last: .undecodable(error))
          }
        }
        frames += try await worker.run(frame, on: pool, conditions)
      }
      return .frames(frames)
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
    let running = state.withLock { $0.running }
    for task in running.values { task.cancel() }
    let release = Task { [engine, name] in
      try? await engine.release(Array(running.keys), by: name)
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
    while !hasEnded {
      do { try await Task.sleep(for: beatPause) } catch { return }
      let ids = state.withLock { Array($0.running.keys) }
      do {
        try await heed(engine.renew(ids, for: name))
      } catch let error as EngineError {
        if Task.isCancelled { return }
        guard case .refused = error else {
          unheard()
          continue
        }
        end(.failed("\(error)"))
      } catch {
        end(.failed("\(error)"))
      }
    }
  }

  private func heed(_ renewal: Renewal) async throws {
    let lost = state.withLock { state in renewal.refused.compactMap { state.running[$0] } }
    for task in lost { task.cancel() }
    switch renewal.phase {
    case .running?: state.withLock { $0.unheardSince = nil }
    case .draining?:
      state.withLock { $0.isDraining = true }
      news.ring()
    case .finished?: end(.finished)
    case nil: return unheard()
    }
    if !renewal.isMember, !hasEnded, let manifest = try await engine.manifest() {
      try await enter(Manifest(bytes: manifest))
    }
  }

  /// Nobody has said that the job is alive. After a lease, it is not.
  private func unheard() {
    let isOver = state.withLock { state in
      let since = state.unheardSince ?? MonotonicTime.now
      state.unheardSince = since
      return MonotonicTime.now &- since >= engine.lease.nanoseconds
    }
    if isOver { end(.driverGone) }
  }
}
