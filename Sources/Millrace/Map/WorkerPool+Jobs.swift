/// An input that has not been read yet, of whatever kind: what the methods of the map family make their jobs of.
///
/// The sequence was sent here, so nobody else uses it; each job iterates it anew.
public struct _Items<Input: Sendable> {
  let makeReader: () -> Reader<Input>
  let count: Int?

  /// The items of a sequence.
  @inlinable
  public init<S: Sequence>(_ items: sending S) where S.Element == Input {
    let items = items
    self.init(count: _knownCount(items), isInMemory: _isInMemory(S.self)) { Pull(items) }
  }

  /// The items of an asynchronous sequence.
  @inlinable
  public init<S: AsyncSequence>(_ items: sending S) where S.Element == Input {
    let items = items
    self.init { AsyncPull(items) }
  }

  @usableFromInline
  init(count: Int?, isInMemory: Bool, makePull: @escaping () -> Pull<Input>) {
    self.count = count
    makeReader = isInMemory ? { .inline(makePull()) } : { .blocking(makePull()) }
  }

  @usableFromInline
  init(makePull: @escaping () -> AsyncPull<Input>) {
    count = nil
    makeReader = { .asynchronous(makePull()) }
  }
}

/// Whether reading a sequence of the type neither computes nor blocks.
public func _isInMemory<S: Sequence>(_ type: S.Type) -> Bool {
  type == Array<S.Element>.self || type == ContiguousArray<S.Element>.self || type == ArraySlice<S.Element>.self
    || type == Range<Int>.self || type == ClosedRange<Int>.self || type == CollectionOfOne<S.Element>.self
    || type == EmptyCollection<S.Element>.self || type == String.self
}

/// The sequence's length, if it is known without reading it.
public func _knownCount<S: Sequence>(_ items: borrowing S) -> Int? {
  func count<C: RandomAccessCollection>(_ items: C) -> Int { items.count }
  // A range may have more numbers than can be counted.
  if let range = copy items as? Range<Int> {
    return range.upperBound.subtractingReportingOverflow(range.lowerBound).overflow ? nil : range.count
  }
  if let range = copy items as? ClosedRange<Int> {
    let (distance, overflow) = range.upperBound.subtractingReportingOverflow(range.lowerBound)
    return overflow || distance == .max ? nil : distance + 1
  }
  guard let collection = copy items as? any RandomAccessCollection else { return nil }
  return count(collection)
}

extension WorkerPool {
  /// Makes a job of an input and a worker, and submits it.
  func start<W: Worker>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, ordered: Bool, isPulled: Bool,
    keepsOutputs: Bool = true
  ) throws -> JobRecord {
    try options.validate()
    SignalWatch.mapBegins()
    var options = options
    options.count = options.count ?? items.count
    if options.chunking.needsCount, options.count == nil {
      throw InvalidOption(
        name: "chunking", value: "by number of chunks",
        allowed: "by size, or with `count` given: the input's length is not known")
    }
    let core = core
    let record = core.record(of: worker, keeps: options.keepsWorkers)
    let box = JobBox()
    let feeder = feeder(items.makeReader()) { reading, inbox in
      guard let job = box.job else { return }
      let batch = core.step { dispatcher, now in
        let batch = inbox.take()
        dispatcher.has(reading, batch, of: job.id, now: now)
        return batch
      }
      // If the job is over, it is let go of here, behind the lock.
      withExtendedLifetime(batch) {}
    }
    // Who collects all outcomes is not woken for each.
    let wakesAt = isPulled || options.timeouts.next != nil ? 1 : 64
    let job = JobRecord(
      feeder: feeder, options: options, wakesAt: wakesAt,
      keepsOutputs: keepsOutputs || options.timeouts.next != nil)
    box.job = job
    do {
      try core.submit(record, job, options, ordered: ordered, isPulled: isPulled)
    } catch {
      feeder.end()
      core.forgetIfUnused(record)
      throw error
    }
    return job
  }

  private func feeder<Input>(
    _ reader: Reader<Input>, _ report: @escaping @Sendable (Reading, Inbox<Input>) -> Void
  ) -> any Feeding {
    let isInMemory = if case .inline = reader { true } else { false }
    let inbox = Inbox<Input>(isShared: !isInMemory)
    let report: @Sendable (Reading) -> Void = { report($0, inbox) }
    if core.isSerial { return CallerFeeder(reader, into: inbox, report: report) }
    return switch reader {
    case .inline(let pull): InlineFeeder(pull, into: inbox, report: report)
    case .blocking(let pull): ThreadFeeder(pull, into: inbox, report: report)
    case .asynchronous(let pull): TaskFeeder(pull, into: inbox, report: report)
    }
  }

  func cursor<W: Worker>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, ordered: Bool, isPulled: Bool,
    keepsOutputs: Bool = true
  ) -> Cursor<W.Input, W.Output> {
    Cursor(core: core, options: options, isPulled: isPulled) { [self] in
      try start(items, worker, options, ordered: ordered, isPulled: isPulled, keepsOutputs: keepsOutputs)
    }
  }

  /// Runs a job to its end and returns its outputs.
  @usableFromInline
  func collect<W: Worker>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, ordered: Bool
  ) async throws -> [W.Output] {
    let cursor = cursor(items, worker, options, ordered: ordered, isPulled: false)
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
  func drain<W: Worker>(_ items: _Items<W.Input>, _ worker: W, _ options: MapOptions) async throws {
    let cursor = cursor(items, worker, options, ordered: false, isPulled: false, keepsOutputs: false)
    while try await cursor.nextOutputs() != nil {}
  }

  @usableFromInline
  func outputs<W: Worker, Items>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, _ order: MapOptions.Order
  ) -> OutputSequence<W.Output, Items> {
    OutputSequence { [self] in cursor(items, worker, options, ordered: order == .input, isPulled: true) }
  }

  @usableFromInline
  func outcomes<W: Worker, Items>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, _ order: MapOptions.Order
  ) -> OutcomeSequence<W.Input, W.Output, Items> {
    var options = options
    options.onFailure = .skip
    return OutcomeSequence { [self, options] in
      cursor(items, worker, options, ordered: order == .input, isPulled: true)
    }
  }

  @usableFromInline
  func folded<W: Worker, Result>(
    _ items: _Items<W.Input>, _ worker: W, _ options: MapOptions, _ initial: Result,
    _ combine: (inout Result, Outcome<W.Input, W.Output>) throws -> Void
  ) async throws -> Result {
    var result = initial
    let outcomes: OutcomeSequence<W.Input, W.Output, Never> = outcomes(items, worker, options, .completion)
    for try await outcome in outcomes { try combine(&result, outcome) }
    return result
  }
}

extension Dispatcher {
  /// A reader reports, and what has come is taken with it.
  fileprivate mutating func has(_ reading: Reading, _ batch: Batch, of job: JobID, now: UInt64) {
    switch reading {
    case .goesOn: arrived(job, count: batch.count, cell: batch.cell, ended: false, goesOn: true, now: now)
    case .complete: arrived(job, count: batch.count, cell: batch.cell, ended: false, now: now)
    case .ended: arrived(job, count: batch.count, cell: batch.cell, ended: true, now: now)
    case .failed(let error):
      arrived(job, count: batch.count, cell: batch.cell, ended: false, goesOn: true, now: now)
      inputFailed(job, error, now: now)
    }
  }
}

/// Ties a feeder's callbacks to the job that they are for.
private final class JobBox: @unchecked Sendable {
  // Sound: set once, before the job is submitted and its feeder asked for anything. Weak, for the job owns its feeder:
  // otherwise each map would keep itself, its input and its pool for ever.
  weak var job: JobRecord?
}
