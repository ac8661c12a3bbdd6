import Millrace
import MillraceIPC

/// The slots of a cluster: places for chunks that are out at the same time, whichever agent has them.
///
/// The queue is shared, so who runs a chunk is the agents' affair: they take what they have room for. A slot here is no machine, and
/// does not die with one.
final class ClusterSlots: Slots {
  private let orders = OrderQueue<Action>()
  private let seats = Lock<[Int: ClusterSeat]>([:])
  let driver: ClusterDriver
  private weak let host: (any SlotHost)?

  init(_ host: any SlotHost, _ driver: ClusterDriver) {
    self.host = host
    self.driver = driver
  }

  func validate(_ worker: WorkerRecord, _ options: MapOptions) throws {
    guard !worker.remote.needsFork else {
      throw WorkerPoolError(
        .notTransportable,
        worker.stages.isEmpty
          ? "a closure cannot run on a cluster, whatever it captures: another process has no name to find it by. Use a Worker type, whose configuration is sent"
          : "the stage \(worker.stages.joined(separator: " → ")) cannot run on a cluster, for a closure is a part of it: another process has no name to find it by. Use Worker types, whose configuration is sent, or give it a place in this program: Parallel(4, on: .threads()) { … }"
      )
    }
    try worker.beSendable { remote in
      try withExtendedLifetime(ParcelCarrier()) { try remote.validateElsewhere(SharedPassage($0)) }
    }
    if options.lifespan != MapOptions.Lifespan() {
      throw InvalidOption(
        name: "lifespan", value: "set", allowed: "none on a cluster: agents replace their own workers")
    }
    if let limit = options.timeouts.tearDown {
      throw InvalidOption(name: "timeouts.tearDown", value: "\(limit)", allowed: "nil on a cluster")
    }
    driver.isAskedAgain(worker.key, setUpTimeout: options.timeouts.setUp)
  }

  func accept(_ action: Action) { orders.accept(action) }
  func flush() { orders.flush(perform) }

  func close(then: @escaping @Sendable () -> Void) {
    Task { [driver] in
      await driver.end()
      // They hold their host, which has these slots; and workers of the user's, so they are let go of behind the lock.
      _ = self.seats.withLock { seats in
        defer { seats = [:] }
        return seats
      }
      then()
    }
  }

  private func seat(_ slot: Int, _ generation: Int) -> ClusterSeat? {
    seats.withLock { $0[slot] }.flatMap { $0.generation == generation ? $0 : nil }
  }

  private func perform(_ action: Action) {
    guard let host else { return }
    switch action {
    case .start(let slot, let generation):
      let seat = ClusterSeat(host, slot, generation, driver)
      _ = seats.withLock { $0.updateValue(seat, forKey: slot) }
      driver.start(seat)
    case .prepare(let slot, let generation, let key):
      if let record = host.worker(key) { seat(slot, generation)?.prepare(record) }
    case .run(let slot, let generation, let chunk): seat(slot, generation)?.run(chunk)
    case .tearDown(let slot, let generation, let key): seat(slot, generation)?.tearDown(key)
    case .cancel(let slot, let generation, let chunk): seat(slot, generation)?.cancel(chunk)
    case .stop(let slot, let generation), .kill(let slot, let generation): seat(slot, generation)?.end()
    case .inspect(let slot, let generation, let chunk):
      // Limits on items are the agents' to keep: they know when one begins.
      host.step { $0.inspected(slot: slot, generation: generation, chunk: chunk, .waiting, now: $1) }
    case .revoke(let slot, let generation, let chunk, _):
      host.step { $0.revoked(slot: slot, generation: generation, chunk: chunk, from: nil, now: $1) }
    case .share(let slot, let generation, let chunk):
      host.step { $0.shared(slot: slot, generation: generation, chunk: chunk, .nothing, now: $1) }
    case .cancelSetUp, .tearDownApart, .read, .collect, .deliver, .end, .release, .raised, .closed, .stopped, .alarm,
      .note:
      break
    }
  }
}
