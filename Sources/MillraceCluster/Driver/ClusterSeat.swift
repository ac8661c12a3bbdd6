import Logging
import Millrace
import MillraceIPC

/// One slot of a cluster in one generation: what it was given, and has not answered.
final class ClusterSeat: Sendable {
  private struct State {
    var work = SentWork()
    /// The chunk that is out, by the number that it has in the queue.
    var out: (id: UInt64, chunk: Int)?
    var hasEnded = false
  }

  let host: any SlotHost
  let slot: Int
  let generation: Int
  private let driver: ClusterDriver
  private let state = Lock(State())

  init(_ host: any SlotHost, _ slot: Int, _ generation: Int, _ driver: ClusterDriver) {
    (self.host, self.slot, self.generation, self.driver) = (host, slot, generation, driver)
  }

  // MARK: What it is told

  func started() { host.step { [slot, generation] in $0.started(slot: slot, generation: generation, now: $1) } }

  func startFailed(_ error: any Error) {
    host.step { [slot, generation] in $0.startFailed(slot: slot, generation: generation, error, now: $1) }
  }

  func prepare(_ record: WorkerRecord) {
    do {
      try driver.announce(record)
      state.withLock { $0.work.willOpen(record) }
      host.step { [slot, generation] in $0.prepared(slot: slot, generation: generation, record.key, now: $1) }
    } catch {
      host.step { [slot, generation] in $0.prepareFailed(slot: slot, generation: generation, record.key, error, now: $1)
      }
    }
  }

  func run(_ chunk: Chunk) {
    let itemTimeout = host.itemTimeout(chunk.job)
    state.withLock { state in
      let frames = state.work.run(chunk)
      guard !frames.isEmpty else { return }
      let order = ChunkOrder(
        worker: chunk.worker.value, itemTimeout: itemTimeout, maximumLosses: driver.options.maximumLosses,
        frames: frames)
      // Whoever hears of its result finds it here.
      state.out = (driver.number(order.bytes, for: self), chunk.id)
    }
    driver.send()
  }

  /// Nobody wants the chunk any more: it is over here, whatever an agent is at.
  func cancel(_ chunk: Int) {
    let (id, answers) = state.withLock { state -> (UInt64?, [RemoteAnswer]) in
      guard let out = state.out, out.chunk == chunk else { return (nil, []) }
      state.out = nil
      let rest = state.work.cancel(chunk)
      let answers = rest.flatMap { frame in
        (try? state.work.answers(with: RemoteFrame(.chunkDone(frame.header.chunk, items: 0, nanoseconds: 0)))) ?? []
      }
      return (out.id, answers)
    }
    guard let id else { return }
    driver.withdraw(id)
    tell(answers)
  }

  func tearDown(_ key: WorkerKey) {
    // Agents keep their workers until they leave; what those hand back stays there.
    tell(
      state.withLock { state in
        guard state.work.tearDown(key) != nil else { return [] }
        return (try? state.work.answers(with: RemoteFrame(.tornDown(UInt64(key.value), .empty)))) ?? []
      })
  }

  func end() { die() }

  // MARK: What has come

  /// What an agent has said of the chunk that is out.
  func answered(_ id: UInt64, _ answer: ChunkAnswer, by agent: String) {
    do {
      switch answer {
      case .frames(let frames):
        let answers = try state.withLock { state -> [RemoteAnswer] in
          guard state.out?.id == id else { return [] }
          state.out = nil
          return try frames.flatMap { try state.work.answers(with: $0) }
        }
        tell(answers)
      case .noWorker(let error):
        let worker = state.withLock { state -> WorkerKey? in
          guard state.out?.id == id else { return nil }
          state.out = nil
          return state.work.inFlight.first?.chunk.worker
        }
        guard let worker else { return }
        driver.hasNoWorker(worker, error, agent)
        die()
      }
    } catch {
      host.logger(slot: slot).error("an agent broke the protocol: \(error)", metadata: ["agent": "\(agent)"])
      die()
    }
  }

  private func tell(_ answers: [RemoteAnswer]) {
    RemoteNews.tell(answers, slot: slot, generation: generation, to: host)
  }

  /// What it has is offered again.
  func die() {
    let (out, isFirst) = state.withLock { state in
      defer { (state.out, state.hasEnded) = (nil, true) }
      return (state.out?.id, !state.hasEnded)
    }
    if let out { driver.withdraw(out) }
    guard isFirst else { return }
    driver.left(self)
    host.step { [slot, generation] in
      $0.died(slot: slot, generation: generation, Death(running: nil, cause: nil), now: $1)
    }
  }
}
