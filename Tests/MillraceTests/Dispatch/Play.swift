import Millrace

/// Plays a dispatcher by hand: what it decides is kept, and described in short words.
final class Play {
  final class Cell: Sendable {}

  var dispatcher: Dispatcher
  var now: UInt64 = 1_000
  /// What was decided since the last look, without what the play answers itself.
  private(set) var log: [String] = []
  private(set) var reports: [String] = []
  private(set) var events: [DispatchEvent] = []
  private(set) var generations: [Int: Int] = [:]
  private(set) var chunks: [Int: Chunk] = [:]
  private(set) var alarm: UInt64?
  private(set) var inside: [JobID: Int] = [:]
  /// Jobs of which was asked what has come.
  private(set) var collected: [JobID] = []
  /// Whether workers start and are set up at once.
  var isSmooth = true

  init(
    width: Int, prefetch: Int = 0, shareTime: UInt64? = nil, gatherTime: UInt64? = nil, isSmooth: Bool = true,
    starts: StartPolicy = StartPolicy()
  ) {
    var limits = DispatchLimits()
    limits.shareTime = shareTime
    limits.gatherTime = gatherTime
    limits.prefetch = prefetch
    limits.starts = starts
    dispatcher = Dispatcher(limits: limits)
    self.isSmooth = isSmooth
    dispatcher.resize(to: width, now: now)
    look()
  }

  func worker() -> WorkerKey { dispatcher.addWorker() }

  func submit(_ key: WorkerKey, _ change: (inout JobSpec) -> Void = { _ in }) -> JobID {
    var spec = JobSpec(worker: key)
    spec.chunking = ChunkSizer(.size(1))
    spec.window = .items(100)
    change(&spec)
    let id = dispatcher.submit(spec, now: now)
    look()
    return id
  }

  /// Answers a read.
  func arrive(_ id: JobID, _ count: Int, ended: Bool = false, known: [Segment] = []) {
    step { $0.arrived(id, count: count, cell: Cell(), ended: ended, known: known, now: $1) }
  }

  /// Items of a read that goes on.
  func come(_ id: JobID, _ count: Int) {
    step { $0.arrived(id, count: count, cell: Cell(), ended: false, goesOn: true, now: $1) }
  }

  /// The input's end, which came in so many reads of one item.
  func arriveAll(_ id: JobID, _ count: Int, each size: Int = 1) {
    for _ in 0..<count / size { arrive(id, size) }
    arrive(id, 0, ended: true)
  }

  func step(_ event: (inout Dispatcher, UInt64) -> Void) {
    event(&dispatcher, now)
    look()
  }

  func finish(_ slot: Int, _ chunk: Int, elapsed: UInt64 = 1_000_000) {
    let items = chunks[chunk]!.range.count
    step { [generation = generations[slot]!] in
      $0.finished(
        slot: slot, generation: generation, chunk: chunk, outputs: Cell(), items: items, elapsed: elapsed, now: $1)
    }
  }

  /// The chunk's items before `end` have their outputs.
  func complete(_ slot: Int, _ chunk: Int, upTo end: Int) {
    step { [generation = generations[slot]!] in
      $0.completed(slot: slot, generation: generation, chunk: chunk, upTo: end, outputs: Cell(), now: $1)
    }
  }

  func fail(_ slot: Int, _ chunk: Int, retryable: Bool = true) {
    step { [generation = generations[slot]!] in
      $0.itemFailed(slot: slot, generation: generation, chunk: chunk, .threw(Trouble()), retryable: retryable, now: $1)
    }
  }

  /// `suspects`: how many items were running in its process.
  func die(
    _ slot: Int, running: Int? = nil, _ cause: ItemFailure.Cause? = .crashed(.trap, signal: 4), suspects: Int = 1
  ) {
    var death = Death(running: running, cause: cause)
    death.suspects = suspects
    step { [generation = generations[slot]!] in
      $0.died(slot: slot, generation: generation, death, now: $1)
    }
  }

  func prepared(_ slot: Int, _ key: WorkerKey) {
    step { [generation = generations[slot]!] in $0.prepared(slot: slot, generation: generation, key, now: $1) }
  }

  func prepareFailed(_ slot: Int, _ key: WorkerKey) {
    step { [generation = generations[slot]!] in
      $0.prepareFailed(slot: slot, generation: generation, key, Trouble(), now: $1)
    }
  }

  /// The slot gives the chunk's items back, from `start` on; nil: none.
  func revoked(_ slot: Int, _ chunk: Int, from start: Int? = 0) {
    step { [generation = generations[slot]!] in
      $0.revoked(slot: slot, generation: generation, chunk: chunk, from: start, now: $1)
    }
  }

  func shared(_ slot: Int, _ chunk: Int, _ found: Sharing) {
    step { [generation = generations[slot]!] in
      $0.shared(slot: slot, generation: generation, chunk: chunk, found, now: $1)
    }
  }

  func isFull(_ limit: Int) -> Bool { dispatcher.isFull(limit) }

  func wait(_ time: UInt64) {
    now += time
    step { $0.tick(now: $1) }
  }

  /// What was decided since the last time.
  func said() -> [String] {
    defer { log = [] }
    return log
  }

  private func look() {
    let actions = dispatcher.takeActions()
    // What is answered at once may bring a later alarm.
    for case .alarm(let time) in actions { alarm = time }
    for action in actions {
      switch action {
      case .read(let id, let count, _): log.append("read \(id.value): \(count)")
      case .collect(let id):
        if isSmooth { collected.append(id) } else { log.append("collect \(id.value)") }
      case .start(let slot, let generation):
        generations[slot] = generation
        if isSmooth {
          step { $0.started(slot: slot, generation: generation, now: $1) }
        } else {
          log.append("start \(slot)")
        }
      case .prepare(let slot, _, let key):
        if isSmooth { prepared(slot, key) } else { log.append("prepare \(slot): \(key.value)") }
      case .cancelSetUp(let slot, _, let key): log.append("cancelSetUp \(slot): \(key.value)")
      case .run(let slot, _, let chunk):
        chunks[chunk.id] = chunk
        log.append("run \(slot): \(chunk.id) \(chunk.range)" + (chunk.attempt > 1 ? " attempt \(chunk.attempt)" : ""))
      case .revoke(let slot, _, let chunk, let start):
        log.append("revoke \(slot): \(chunk)" + (chunks[chunk]!.range.lowerBound < start ? " from \(start)" : ""))
      case .share(let slot, _, let chunk): log.append("share \(slot): \(chunk)")
      case .inspect(let slot, _, let chunk): log.append("inspect \(slot): \(chunk)")
      case .cancel(let slot, _, let chunk): log.append("cancel \(slot): \(chunk)")
      case .tearDown(let slot, _, let key): log.append("tearDown \(slot): \(key.value)")
      case .tearDownApart(let slot, _, let key, let number):
        log.append("tearDown \(slot): \(key.value) apart, \(number)")
      case .kill(let slot, _): log.append("kill \(slot)")
      case .stop(let slot, _): log.append("stop \(slot)")
      case .deliver(let id, let segment):
        switch segment.content {
        case .outputs: log.append("deliver \(id.value): \(segment.range)")
        case .failure(let failure):
          log.append("failure \(id.value): \(failure.index) attempt \(failure.attempt) \(failure.cause.word)")
        }
      case .end(let id, let end, _):
        switch end {
        case .complete: log.append("complete \(id.value)")
        case .cancelled: log.append("cancelled \(id.value)")
        case .failed(let error):
          log.append("failed \(id.value): \((error as? WorkerPoolError).map { "\($0.kind)" } ?? "\(type(of: error))")")
        }
      case .release(let id): log.append("release \(id.value)")
      case .raised(let id, let level): log.append("raised \(id.value): \(level)")
      case .closed(let key): log.append("closed \(key.value)")
      case .stopped: log.append("stopped")
      case .alarm: break
      case .note(let event):
        events.append(event.event)
        reports += EventLog.lines(of: event.event).map(\.text)
      }
    }
  }
}

struct Trouble: Error {}

extension ItemFailure.Cause {
  var word: String {
    switch self {
    case .threw: "threw"
    case .crashed: "crashed"
    case .exited: "exited"
    case .timedOut: "timed out"
    case .setUpFailed: "set-up failed"
    case .undecodable: "undecodable"
    case .quarantined(let crashes, _): "quarantined after \(crashes)"
    }
  }
}
