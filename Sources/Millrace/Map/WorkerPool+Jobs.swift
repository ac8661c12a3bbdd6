extension WorkerPool {
  /// Makes a job of an input and a worker, and submits it. `known`: the worker's record, if it has one.
  func start<W: Worker>(
    _ items: ItemSource<W.Input>, _ worker: W, _ request: MapRequest, as known: WorkerRecord? = nil
  ) throws -> JobRecord {
    var request = request
    try request.validate()
    SignalWatch.mapBegins()
    request.options.count = request.options.count ?? items.count
    let options = request.options
    if options.chunking.needsCount, options.count == nil {
      throw InvalidOption(
        name: "chunking", value: "by number of chunks",
        allowed: "by size, or with `count` given: the input's length is not known")
    }
    let core = core
    if let companion = self.companion {
      request.origin.companion = companion.companion(
        of: MapDescription(
          worker: workerName(W.self), backend: kind.description(width: "\(core.width)"), total: options.count))
    }
    let companion = request.origin.companion
    let record = known ?? core.record(of: worker, keeps: options.keepsWorkers)
    let box = JobBox()
    let reader = items.makeReader()
    let feeder = feeder(reader, request.origin) { reading, inbox in
      guard let job = box.job else { return }
      let batch = core.ask { dispatcher, now in
        let batch = inbox.take()
        dispatcher.has(reading, batch, of: job, now: now)
        return batch
      }
      // If the job is over, it is let go of here, behind the lock.
      withExtendedLifetime(batch) {}
    }
    // Who collects all outcomes is not woken for each.
    let wakesAt = request.isPulled || options.nextTimeout != nil ? 1 : 64
    let job = JobRecord(
      feeder: feeder, options: options, wakesAt: wakesAt,
      keepsOutputs: request.wantsOutputs || options.nextTimeout != nil, outlet: request.outlet,
      known: request.known, companion: companion)
    job.stage = request.stage
    box.job = job
    if case .pushed(let edge) = reader { edge.connect(reader: job, of: core) }
    request.outlet?.connect(writer: job, of: core)
    let progress = options.progress.tracker(core, total: options.count, known: request.known?.count ?? 0)
    job.progress = progress
    do {
      try core.submit(record, job, request)
      progress?.follow(job.id)
    } catch {
      feeder.end()
      core.forgetIfUnused(record)
      companion?.refused(error)
      throw error
    }
    return job
  }

  private func feeder<Input>(
    _ reader: Reader<Input>, _ origin: ItemOrigin,
    _ report: @escaping @Sendable (Reading, Inbox<Input>) -> Void
  ) -> any Feeding {
    if case .pushed(let edge) = reader { return edge }
    let isInMemory = if case .inline = reader { true } else { false }
    let inbox = Inbox<Input>(isShared: !isInMemory, origin: origin)
    let report: @Sendable (Reading) -> Void = { report($0, inbox) }
    if case .produced(let produce) = reader { return SourceFeeder(produce, into: inbox, report: report) }
    if let driver = core.driver { return driver.makeFeeder(reader, into: inbox, report: report) }
    return switch reader {
    case .inline(let pull): InlineFeeder(pull, into: inbox, report: report)
    case .blocking(let pull): ThreadFeeder(pull, into: inbox, report: report)
    case .isolated(let pull): ActorFeeder(pull, into: inbox, report: report)
    case .asynchronous(let pull): TaskFeeder(pull, into: inbox, report: report)
    case .produced(let produce): SourceFeeder(produce, into: inbox, report: report)
    case .pushed(let edge): edge
    }
  }

  func cursor<W: Worker>(
    _ items: ItemSource<W.Input>, _ worker: W, _ request: MapRequest
  ) -> Cursor<W.Input, W.Output> {
    Cursor(core: core, request) { [self] in try start(items, worker, request) }
  }

  /// Runs a job to its end and returns its outputs.
  @usableFromInline
  func collect<W: Worker>(
    _ items: ItemSource<W.Input>, _ worker: W, _ options: MapOptions, _ order: MapOptions.Order,
    _ onFailure: MapOptions.FailurePolicy
  ) async throws -> [W.Output] {
    let cursor = cursor(items, worker, MapRequest(options: options, order: order, onFailure: onFailure))
    var results: [W.Output] = []
    if let count = items.count {
      // As many as will come, within bounds: what is declared, or counted and never there, must not become memory.
      let affordable = (64 << 20) / max(1, MemoryLayout<W.Output>.stride)
      results.reserveCapacity(min(count, options.count ?? count, affordable))
    }
    while let (outputs, range) = try await cursor.nextOutputs() {
      withExtendedLifetime(outputs) {
        results.append(
          contentsOf: UnsafeBufferPointer(
            start: outputs.storage + (range.lowerBound - outputs.base), count: range.count))
      }
    }
    return results
  }

  /// Runs a job to its end and drops its outputs.
  @usableFromInline
  func drain<W: Worker>(
    _ items: ItemSource<W.Input>, _ worker: W, _ options: MapOptions, _ onFailure: MapOptions.FailurePolicy
  ) async throws {
    let request = MapRequest(options: options, order: .completion, onFailure: onFailure, wantsOutputs: false)
    let cursor = cursor(items, worker, request)
    while try await cursor.nextOutputs() != nil {}
  }

  @usableFromInline
  func outputs<W: Worker, Items>(
    _ items: ItemSource<W.Input>, _ worker: W, _ options: MapOptions, _ order: MapOptions.Order,
    _ onFailure: MapOptions.FailurePolicy
  ) -> OutputSequence<W.Output, Items> {
    let request = MapRequest(options: options, order: order, onFailure: onFailure, isPulled: true)
    return OutputSequence { [self] in cursor(items, worker, request) }
  }

  @usableFromInline
  func outcomes<W: Worker, Items>(
    _ items: ItemSource<W.Input>, _ worker: W, _ options: MapOptions, _ order: MapOptions.Order
  ) -> OutcomeSequence<W.Input, W.Output, Items> {
    let request = MapRequest(options: options, order: order, onFailure: .skip, isPulled: true)
    return OutcomeSequence { [self] in cursor(items, worker, request) }
  }

  /// What becomes of each item of a map that is a part of another.
  func outcomes<S: Sequence, W: Worker>(
    of items: sending S, with worker: W, _ request: MapRequest
  ) -> OutcomeSequence<W.Input, W.Output, S> where S.Element == W.Input {
    let items = ItemSource(items, from: nil)
    return OutcomeSequence { [self] in cursor(items, worker, request) }
  }
}

extension Dispatcher {
  /// A reader reports, and what has come is taken with it.
  fileprivate mutating func has(_ reading: Reading, _ batch: Batch, of job: JobRecord, now: UInt64) {
    switch reading {
    case .goesOn: arrived(job, batch, goesOn: true, now: now)
    case .complete: arrived(job, batch, now: now)
    case .ended: arrived(job, batch, ended: true, now: now)
    case .failed(let error):
      arrived(job, batch, goesOn: true, now: now)
      inputFailed(job.id, error, now: now)
    }
  }
}

/// Ties a feeder's callbacks to the job that they are for.
private final class JobBox: @unchecked Sendable {
  // Sound: set once, before the job is submitted and its feeder asked for anything. Weak, for the job owns its feeder:
  // otherwise each map would keep itself, its input and its pool for ever.
  weak var job: JobRecord?
}
