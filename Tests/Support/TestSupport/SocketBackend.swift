package import Millrace
import MillraceIPC

/// A backend that is no part of Millrace: its workers are in other processes, each at the other end of a socket pair. Nothing is
/// shared with them, as with another machine.
///
/// It is written against what Millrace offers to backends, shows that this is enough, and is for reading: the shortest way to
/// workers elsewhere. They are forked from the program, one for each worker of the user's in each slot.
package struct SocketBackend: BackendKind {
  package func description(width: String) -> String { "sockets(\(width))" }
  package var abilities: BackendAbilities { [.survivesCrashes, .runsClosures, .sharesObjects] }
  package var limits: DispatchLimits {
    var limits = DispatchLimits()
    // Each has a process of its own.
    limits.keptWorkers = 4
    return limits
  }
  package func makeSlots(_ host: any SlotHost, width: Int) -> any Slots { SocketSlots(host) }
}

extension WorkerPool.Backend {
  package static func sockets(_ width: Int) -> WorkerPool.Backend { WorkerPool.Backend(SocketBackend(), width: width) }
}

final class SocketSlots: Slots {
  private let orders = OrderQueue<Action>()
  private let seats = Lock<[Int: SocketSeat]>([:])
  private let surroundings = Surroundings()
  private weak let host: (any SlotHost)?

  init(_ host: any SlotHost) { self.host = host }

  func validate(_ worker: WorkerRecord, _ options: MapOptions) throws {
    try worker.remote.validate(forking: true)
    guard options.lifespan.memory == nil else {
      throw InvalidOption(name: "lifespan.memory", value: "set", allowed: "nothing: it is not measured")
    }
  }

  func accept(_ action: Action) { orders.accept(action) }
  func flush() { orders.flush(perform) }
  func close(then: @escaping @Sendable () -> Void) { then() }

  private func seat(_ slot: Int, _ generation: Int) -> SocketSeat? {
    seats.withLock { $0[slot] }.flatMap { $0.generation == generation ? $0 : nil }
  }

  private func perform(_ action: Action) {
    guard let host else { return }
    switch action {
    case .start(let slot, let generation):
      seats.withLock { $0[slot] = SocketSeat(host, slot, generation, surroundings) }
      host.step { $0.started(slot: slot, generation: generation, now: $1) }
    case .prepare(let slot, let generation, let key):
      if let record = host.worker(key) { seat(slot, generation)?.open(record) }
    case .run(let slot, let generation, let chunk):
      seat(slot, generation)?.worker(chunk.worker)?.ask { $0.run(chunk) }
    case .tearDown(let slot, let generation, let key):
      seat(slot, generation)?.worker(key)?.ask { [$0.tearDown(key)] }
    case .cancel(let slot, let generation, let chunk):
      for worker in seat(slot, generation)?.workers ?? [] { worker.ask { $0.cancel(chunk) } }
    case .stop(let slot, let generation): seat(slot, generation)?.end { $0.ask { [$0.stop()] } }
    case .kill(let slot, let generation): seat(slot, generation)?.end { $0.kill() }
    case .inspect(let slot, let generation, let chunk):
      seat(slot, generation)?.inspect(chunk)
    case .revoke(let slot, let generation, let chunk, _):
      host.step { $0.revoked(slot: slot, generation: generation, chunk: chunk, from: nil, now: $1) }
    case .share(let slot, let generation, let chunk):
      host.step { $0.shared(slot: slot, generation: generation, chunk: chunk, .nothing, now: $1) }
    case .cancelSetUp(let slot, let generation, let key):
      seat(slot, generation)?.worker(key)?.ask { [$0.cancelSetUp(key)] }
    case .tearDownApart, .read, .collect, .deliver, .end, .release, .raised, .closed, .stopped, .alarm, .note: break
    }
  }
}

/// A slot's worker of one generation: the processes of all workers of the user's that were set up there. They end together.
final class SocketSeat: Sendable {
  private struct State {
    var workers: [SocketWorker] = []
    var isEnding = false
    var death = Death(running: nil, cause: nil)
  }
  let host: any SlotHost
  let slot: Int
  let generation: Int
  let surroundings: Surroundings
  private let state = Lock(State())

  init(_ host: any SlotHost, _ slot: Int, _ generation: Int, _ surroundings: Surroundings) {
    (self.host, self.slot, self.generation, self.surroundings) = (host, slot, generation, surroundings)
  }

  var workers: [SocketWorker] { state.withLock { $0.workers } }

  func worker(_ key: WorkerKey) -> SocketWorker? { workers.last { $0.record.key == key } }

  func open(_ record: WorkerRecord) {
    let worker = SocketWorker(record, in: self)
    state.withLock { $0.workers.append(worker) }
    do { try startThread("socket-\(slot)") { worker.live() } } catch { failed(worker, error) }
  }

  /// Asks each of its workers, until one has the chunk.
  func inspect(_ chunk: Int) { inspect(chunk, workers[...]) }

  private func inspect(_ chunk: Int, _ workers: ArraySlice<SocketWorker>) {
    let tell = { @Sendable [host, slot, generation] (found: Inspection) in
      host.step { $0.inspected(slot: slot, generation: generation, chunk: chunk, found, now: $1) }
    }
    guard let worker = workers.first else { return tell(.waiting) }
    worker.inspect(chunk) { [self] in if let found = $0 { tell(found) } else { inspect(chunk, workers.dropFirst()) } }
  }

  /// There cannot be such a worker here.
  func failed(_ worker: SocketWorker, _ error: any Error) {
    lost(worker, nil)
    host.step { [slot, generation] in
      $0.prepareFailed(slot: slot, generation: generation, worker.record.key, error, now: $1)
    }
  }

  /// Ends all of it.
  func end(_ how: (SocketWorker) -> Void) {
    let workers = state.withLock { state in
      state.isEnding = true
      return state.workers
    }
    for worker in workers { how(worker) }
    if workers.isEmpty { tell() }
  }

  /// A process is gone. Nil: in good order, for its worker was torn down.
  func lost(_ worker: SocketWorker, _ death: Death?) {
    let others: [SocketWorker]? = state.withLock { state in
      state.workers.removeAll { $0 === worker }
      if let death, !state.isEnding || !death.running.isEmpty {
        state.death = death
        state.isEnding = true
      }
      return state.isEnding ? state.workers : nil
    }
    for other in others ?? [] { other.kill() }
    if others?.isEmpty == true { tell() }
  }

  private func tell() {
    let death = state.withLock { $0.death }
    host.step { [slot, generation] in $0.died(slot: slot, generation: generation, death, now: $1) }
  }
}
