import Millrace

/// A chunk's way through the dispatcher: read, assigned, finished, delivered in order; as in a pool of processes that is
/// never short of input, with a consumer that keeps everything.
enum DispatcherPart {
  private final class Cell: Sendable {}

  /// `isObserved`: with all that happens told.
  static func run(_ times: Int, width: Int, isObserved: Bool = false) -> Int {
    var limits = DispatchLimits()
    limits.prefetch = 254
    var dispatcher = Dispatcher(limits: limits)
    dispatcher.isObserved = isObserved
    dispatcher.resize(to: width, now: 0)
    var spec = JobSpec(worker: dispatcher.addWorker())
    spec.chunking = ChunkSizer(.size(16))
    spec.window = .items(16 * 4 * width)
    spec.readsAtOnce = true
    let job = dispatcher.submit(spec, now: 0)

    let cell = Cell()
    var running = Running()
    var (time, delivered) = (0 as UInt64, 0)
    for _ in 0..<times {
      repeat { delivered += answer(&dispatcher, job, cell, &running, time) } while running.isEmpty
      let (slot, generation, chunk) = running.removeFirst()
      time += 100_000
      dispatcher.finished(
        slot: slot, generation: generation, chunk: chunk.id, outputs: cell, items: chunk.range.count, elapsed: 100_000,
        now: time)
    }
    return delivered
  }

  /// Does what the dispatcher wants done, but for the work; returns how many items it has delivered.
  private static func answer(
    _ dispatcher: inout Dispatcher, _ job: JobID, _ cell: Cell, _ running: inout Running, _ now: UInt64
  ) -> Int {
    var delivered = 0
    var place = 0
    while let action = dispatcher.takeAction(&place) {
      switch action {
      case .read(_, let count, _): dispatcher.arrived(job, count: count, cell: cell, ended: false, now: now)
      case .start(let slot, let generation): dispatcher.started(slot: slot, generation: generation, now: now)
      case .prepare(let slot, let generation, let key):
        dispatcher.prepared(slot: slot, generation: generation, key, now: now)
      case .run(let slot, let generation, let chunk): running.append((slot, generation, chunk))
      case .revoke(let slot, let generation, let chunk, _):
        dispatcher.revoked(slot: slot, generation: generation, chunk: chunk, from: nil, now: now)
      case .deliver(_, let segment): delivered += segment.range.count
      default: break
      }
    }
    return delivered
  }

  /// The chunks at the slots, the first to be finished first.
  private struct Running {
    private var chunks: [(Int, Int, Chunk)] = []
    private var first = 0

    var isEmpty: Bool { first == chunks.count }

    mutating func append(_ chunk: (Int, Int, Chunk)) { chunks.append(chunk) }

    mutating func removeFirst() -> (Int, Int, Chunk) {
      defer {
        first += 1
        if first == chunks.count {
          chunks.removeAll(keepingCapacity: true)
          first = 0
        }
      }
      return chunks[first]
    }
  }
}
