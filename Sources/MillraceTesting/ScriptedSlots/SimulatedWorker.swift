import Millrace

/// What a ``Simulation`` hands over where a pool has users' values: what it is of, and nothing else.
final class SimulatedItems: Sendable {
  let job: JobID
  let range: Range<Int>

  init(job: JobID, range: Range<Int>) {
    self.job = job
    self.range = range
  }
}

/// What a worker or its driver has to say to the dispatcher.
enum Report {
  case started
  case startFailed
  case prepared(WorkerKey)
  case prepareFailed(WorkerKey)
  case tornDown(WorkerKey)
  case completed(chunk: Int, upTo: Int, SimulatedItems)
  case itemFailed(chunk: Int, index: Int, retryable: Bool)
  case finished(chunk: Int, SimulatedItems?, items: Int, elapsed: UInt64)
  case revoked(chunk: Int, success: Bool)
  case inspected(chunk: Int, Inspection)
  case died(running: Int?, ItemFailure.Cause, retryable: Bool)
}

/// A worker of one generation in its slot, and its driver.
final class SimulatedWorker {
  enum Command {
    case prepare(WorkerKey)
    case run(Chunk)
    case tearDown(WorkerKey)
    case stop
  }

  enum Activity {
    case starting
    case preparing(WorkerKey)
    case running(Run)
    case tearingDown(WorkerKey)
    case stopping
    /// Stopped by somebody: it takes nothing any more.
    case silent
  }

  /// A chunk on its way.
  ///
  /// What is before `reported` was said, what is before `index` was done.
  struct Run {
    let chunk: Chunk
    var index: Int
    var reported: Int
    var since: UInt64
    let began: UInt64
    var isUnwanted = false
  }

  let slot: Int
  let generation: Int
  var mailbox = FIFO<Command>()
  var activity: Activity? = .starting
  /// Numbers the activities, so that an end which comes too late is known.
  var serial = 0
  var isDead = false
  var isStalled = false
  var isKilled = false
  var reports = FIFO<Report>()
  var lastReport: UInt64 = 0

  init(slot: Int, generation: Int) {
    self.slot = slot
    self.generation = generation
  }

  /// Takes the chunk out of the mailbox; false if it was begun, or is not here.
  func drop(_ id: Int) -> Bool {
    !mailbox.extract { if case .run(let chunk) = $0 { chunk.id == id } else { false } }.isEmpty
  }

  var run: Run? { if case .running(let run) = activity { run } else { nil } }
}
