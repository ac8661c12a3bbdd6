import Logging
import Millrace
import MillraceIPC

/// One slot of a cluster in one generation: what it was given, and has not answered.
///
/// Items are encoded and outputs decoded here, by their own code: so one does at a time what it is told, and no lock is held.
final class ClusterSeat: @unchecked Sendable {
  private typealias Order = @Sendable (ClusterSeat) -> Void

  let host: any SlotHost
  let slot: Int
  let generation: Int
  private let driver: ClusterDriver
  private let orders = OrderQueue<Order>()
  // Sound: these belong to whoever carries out the orders.
  private var work = SentWork()
  /// The chunk that is out.
  private var out: (ticket: ClusterTicket, chunk: Int)?
  private var hasEnded = false

  init(_ host: any SlotHost, _ slot: Int, _ generation: Int, _ driver: ClusterDriver) {
    (self.host, self.slot, self.generation, self.driver) = (host, slot, generation, driver)
  }

  private func order(_ order: @escaping Order) {
    orders.accept(order)
    orders.flush { $0(self) }
  }

  // MARK: What it is told

  func started() { host.step { [slot, generation] in $0.started(slot: slot, generation: generation, now: $1) } }

  func startFailed(_ error: any Error) {
    host.step { [slot, generation] in $0.startFailed(slot: slot, generation: generation, error, now: $1) }
  }

  func prepare(_ record: WorkerRecord) { order { $0.open(record) } }
  func run(_ chunk: Chunk) { order { $0.submit(chunk) } }
  /// Nobody wants the chunk any more: it is over here, whatever an agent is at.
  func cancel(_ chunk: Int) { order { $0.giveUp(chunk) } }
  /// Agents keep their workers until they leave; what those hand back stays there.
  func tearDown(_ key: WorkerKey) { order { $0.forget(key) } }
  func end() { die() }

  /// What an agent has said of the chunk that is out.
  func answered(_ ticket: ClusterTicket, _ answer: ChunkAnswer, by agent: String) {
    order { $0.take(ticket, answer, agent) }
  }

  /// What it has is offered again.
  func die() { order { $0.leave() } }

  // MARK: What it does, one at a time

  private func open(_ record: WorkerRecord) {
    do {
      try driver.announce(record)
      work.willOpen(record)
      host.step { [slot, generation] in $0.prepared(slot: slot, generation: generation, record.key, now: $1) }
    } catch {
      host.step { [slot, generation] in $0.prepareFailed(slot: slot, generation: generation, record.key, error, now: $1)
      }
    }
  }

  private func submit(_ chunk: Chunk) {
    // Agents have said meanwhile that none can have the worker: the slot hears it when it asks for it anew.
    if driver.isHopeless(chunk.worker) { return leave() }
    let frames = work.run(chunk)
    guard !frames.isEmpty else { return }
    let order = ChunkOrder(
      worker: driver.announced(chunk.worker), itemTimeout: host.itemTimeout(chunk.job),
      setUpTimeout: driver.setUpTimeout(chunk.worker), maximumLosses: driver.options.maximumLosses, frames: frames)
    // What is said of it waits for its turn here.
    out = (driver.accept(order.bytes, frames: frames.count, for: self), chunk.id)
    driver.send()
  }

  private func giveUp(_ chunk: Int) {
    guard let out, out.chunk == chunk else { return }
    self.out = nil
    let answers = work.cancel(chunk).flatMap { frame in
      (try? work.answers(with: RemoteFrame(.chunkDone(frame.header.chunk, items: 0, nanoseconds: 0)))) ?? []
    }
    driver.withdraw(out.ticket)
    tell(answers)
  }

  private func forget(_ key: WorkerKey) {
    guard work.tearDown(key) != nil else { return }
    tell((try? work.answers(with: RemoteFrame(.tornDown(UInt64(key.value), .empty)))) ?? [])
  }

  private func take(_ ticket: ClusterTicket, _ answer: ChunkAnswer, _ agent: String) {
    guard out?.ticket === ticket else { return }
    out = nil
    do {
      switch answer {
      case .frames(let frames): tell(try work.answers(with: frames))
      case .noWorker(let error):
        guard let worker = work.inFlight.first?.chunk.worker else { return }
        driver.hasNoWorker(worker, error, agent)
        leave()
      }
    } catch {
      host.logger(slot: slot).error("an agent broke the protocol: \(error)", metadata: ["agent": "\(agent)"])
      leave()
    }
  }

  private func leave() {
    if let out { driver.withdraw(out.ticket) }
    out = nil
    guard !hasEnded else { return }
    hasEnded = true
    driver.left(self)
    host.step { [slot, generation] in
      $0.died(slot: slot, generation: generation, Death(running: nil, cause: nil), now: $1)
    }
  }

  private func tell(_ answers: [RemoteAnswer]) {
    RemoteNews.tell(answers, slot: slot, generation: generation, to: host)
  }
}
