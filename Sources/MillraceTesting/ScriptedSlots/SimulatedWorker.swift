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
  case tornDownApart(WorkerKey, number: Int)
  case completed(chunk: Int, upTo: Int, SimulatedItems)
  case itemFailed(chunk: Int, index: Int, retryable: Bool)
  case finished(chunk: Int, SimulatedItems?, items: Int, elapsed: UInt64)
  case revoked(chunk: Int, from: Int?)
  case shared(chunk: Int, Sharing)
  case inspected(chunk: Int, Inspection)
  case died(running: [Int: Bool], ItemFailure.Cause?, suspects: Int = 1)

  var isTheLast: Bool {
    switch self {
    case .startFailed, .died: true
    default: false
    }
  }
}

/// A worker of one generation in its slot, and its driver.
final class SimulatedWorker {
  let slot: Int
  let generation: Int
  /// The one that starts and is told to end; others that were made for one of the users' workers each, if they are.
  private(set) var processes: [SimulatedProcess] = []
  /// Its end was said, and heard.
  var isGone = false
  var isKilled = false
  /// It was killed, and is there all the same.
  var isUndead = false
  /// What was running in its processes when they were ended, while others of them are still there.
  var running: [Int: Bool] = [:]
  var reports: ArraySlice<Report> = []
  var lastReport: UInt64 = 0

  init(slot: Int, generation: Int) {
    self.slot = slot
    self.generation = generation
    processes = [SimulatedProcess(self, for: nil)]
  }

  var first: SimulatedProcess { processes[0] }
  var isStalled: Bool { processes.contains(where: \.isStalled) }
  var isDead: Bool { processes.allSatisfy(\.isDead) }

  func add(for key: WorkerKey) -> SimulatedProcess {
    let process = SimulatedProcess(self, for: key)
    process.activity = nil
    processes.append(process)
    return process
  }

  /// The process has done all that it was made for.
  func remove(_ process: SimulatedProcess) {
    process.end()
    processes.removeAll { $0 === process }
  }

  /// Its end was heard: whatever is left of it is ended, and says nothing any more.
  func end() {
    isGone = true
    for process in processes { process.end() }
  }
}

/// A process, or a thread, that a worker consists of.
final class SimulatedProcess {
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
    var chunk: Chunk
    var index: Int
    var reported: Int
    var since: UInt64
    let began: UInt64
    var isUnwanted = false
    /// Where the chunk began.
    let first: Int
  }

  unowned let worker: SimulatedWorker
  /// The only one of the users' workers that it runs, if it was made for one.
  let key: WorkerKey?
  var mailbox: ArraySlice<Command> = []
  var activity: Activity? = .starting
  /// Numbers the activities, so that an end which comes too late is known.
  var serial = 0
  var isDead = false
  var isStalled = false
  /// The jobs that its item waits for.
  var awaited: Set<Int> = []
  /// The job of the item that waits.
  var waiter: JobID?
  /// Whether one of them has come to nothing.
  var innerFailed = false
  /// Whether its item was told that nobody wants it any more.
  var isCancelled = false

  init(_ worker: SimulatedWorker, for key: WorkerKey?) {
    self.worker = worker
    self.key = key
  }

  /// It is gone, and what it was at will not end.
  func end() {
    isDead = true
    isStalled = false
    serial += 1
    activity = nil
  }

  /// Whether it has the chunk, begun or not.
  func holds(_ id: Int) -> Bool {
    run?.chunk.id == id || place(of: id) != nil
  }

  /// Takes the chunk out of the mailbox; false if it was begun, or is not here.
  func drop(_ id: Int) -> Bool { place(of: id).map { mailbox.remove(at: $0) } != nil }

  /// Gives back what it has not begun of the chunk's items from `start` on: from which on, or nil if that is nothing.
  func giveBack(_ id: Int, from start: Int) -> Int? {
    if case .running(var run) = activity, run.chunk.id == id {
      let begun = (run.index - run.first) / run.chunk.grain + 1
      return cut(&run.chunk, run.first, after: max(begun, (start - run.first) / run.chunk.grain)).map { from in
        activity = .running(run)
        return from
      }
    }
    guard let place = place(of: id), case .run(var chunk) = mailbox[place] else { return nil }
    let first = chunk.range.lowerBound
    if start <= first {
      mailbox.remove(at: place)
      return first
    }
    let from = cut(&chunk, first, after: (start - first) / chunk.grain)
    mailbox[place] = .run(chunk)
    return from
  }

  /// Gives back all of the chunk but the item that it is at.
  func share(_ id: Int) -> Sharing {
    guard case .running(var run) = activity, run.chunk.id == id else {
      return place(of: id) == nil ? .nothing : .notYet
    }
    guard run.index + 1 < run.chunk.range.upperBound else { return .nothing }
    run.chunk.range = run.chunk.range.lowerBound..<run.index + 1
    activity = .running(run)
    return .from(run.index + 1)
  }

  private func place(of id: Int) -> Int? {
    mailbox.firstIndex { if case .run(let chunk) = $0 { chunk.id == id } else { false } }
  }

  private func cut(_ chunk: inout Chunk, _ first: Int, after count: Int) -> Int? {
    let from = first + count * chunk.grain
    guard from < chunk.range.upperBound else { return nil }
    chunk.range = chunk.range.lowerBound..<from
    return from
  }

  var run: Run? { if case .running(let run) = activity { run } else { nil } }
}
