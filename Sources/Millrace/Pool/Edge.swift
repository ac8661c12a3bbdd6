import MillraceIPC

/// What is between two jobs, of one pool or of two: the outputs of the one are the items of the other.
///
/// ```
///   writer's pool ──accept (under its lock)──▶ runs ──take (under its lock)──▶ reader's pool
///        ▲                                                                        │
///        └───────── consumed (after both) ◀──── flush, by whoever comes ◀── demand┘
/// ```
///
/// Runs of outputs are handed over whole, as they lie: no task is between the two jobs, and no item is touched. The writer's
/// window counts what the reader has not taken, and the reader asks for what its own window has room for, so there is
/// never more between the ends than both. Locks are taken in one order: a pool's, then the edge's; and no pool is stepped with
/// the edge's.
///
/// The writer's end is the reader's: the end of its input, its error, its cancellation. When the reader ends first, nobody wants what
/// the writer makes, and it is cancelled.
package final class Edge<Item: Sendable>: Outgoing, Feeding, @unchecked Sendable {
  // Sound: all that changes is in `state`, but for the items, which are only passed on.
  private struct State {
    var writer: Terminal?
    var reader: Terminal?
    /// The writer's outputs that the reader has not taken, in their order.
    var runs = FIFO<Segment>()
    /// How many items of the first of them are taken.
    var offset = 0
    var count = 0
    /// The index of the reader's next item.
    var next = 0
    /// How many items the reader has asked for, and not got.
    var demand = 0
    /// It has asked, and was not told yet that it has got all.
    var isReading = false
    /// A slot waits for whatever comes.
    var isAwaited = false
    var end: JobEnd?
    /// The reader knows of the end, or has ended itself.
    var isOver = false
    /// Items that have left, which the writer does not know.
    var gone = 0
    var failures: [ItemFailure] = []
    /// Somebody passes on, and looks again before it leaves.
    var isBusy = false

    /// Whether the reader is to be told something: what it asked for is here, or something that a slot waits for, or the end.
    var isDue: Bool {
      if isOver || reader == nil { return false }
      if isReading, count >= demand || isAwaited && count > 0 { return true }
      guard let end else { return false }
      // The end of an input is said to who reads.
      if case .complete = end { return isReading }
      return count == 0 || isReading
    }
  }

  /// A job of a pool. Weak, for the job has the edge.
  private struct Terminal {
    let pool: PoolCore
    weak var job: JobRecord?
  }

  private let state = Lock(State())
  private let onFailure: @Sendable (ItemFailure) -> Void
  private let onDemand: (@Sendable (Int) -> Void)?

  /// - Parameter onFailure: told of each item of the writer's that failed, and so is none of the reader's. Of a writer that fails
  ///   fast, the reader has the failure as its input's error.
  package init(onFailure: @escaping @Sendable (ItemFailure) -> Void = { _ in }) {
    self.onFailure = onFailure
    onDemand = nil
  }

  /// An edge whose writer is no job: told how many items the reader asks for, without any lock, it has them accepted.
  init(onDemand: @escaping @Sendable (Int) -> Void) {
    onFailure = { _ in }
    self.onDemand = onDemand
  }

  package func connect(writer job: JobRecord, of pool: PoolCore) {
    state.withLock { $0.writer = Terminal(pool: pool, job: job) }
  }
  func connect(reader job: JobRecord, of pool: PoolCore) {
    state.withLock { $0.reader = Terminal(pool: pool, job: job) }
  }

  // MARK: From the writer's pool

  package func accept(_ segment: Segment) {
    state.withLock { state in
      switch segment.content {
      case .outputs where !state.isOver:
        state.runs.append(segment)
        state.count += segment.range.count
      case .outputs: state.gone += segment.range.count
      case .failure(let failure):
        state.failures.append(failure)
        state.gone += segment.range.count
      }
    }
  }

  package func accept(_ end: JobEnd) { state.withLock { $0.end = end } }

  // MARK: From the reader's pool

  package func read(_ count: Int) {
    state.withLock { state in
      state.demand = count
      state.isReading = true
    }
    onDemand?(count)
    flush()
  }

  package func collect() -> Batch? {
    state.withLock { state in
      let batch = Self.take(&state)
      if batch == nil { state.isAwaited = true }
      return batch
    }
  }

  package func collected() { flush() }

  /// The reader has ended.
  package func end() {
    let (runs, writer) = state.withLock { state in
      let runs = state.runs
      state.runs = FIFO()
      (state.count, state.offset, state.demand, state.isReading, state.isOver) = (0, 0, 0, false, true)
      return (runs, state.end == nil ? state.writer : nil)
    }
    // Let go of behind the lock.
    withExtendedLifetime(runs) {}
    if let writer, let job = writer.job { writer.pool.cancel(job) }
  }

  // MARK: Passing on

  package func flush() {
    guard
      state.withLock({ state in
        defer { state.isBusy = true }
        return !state.isBusy
      })
    else { return }
    while passOn() {}
  }

  /// Passes on what there is; false if there is nothing, and nobody is at it any more.
  private func passOn() -> Bool {
    let (reader, writer, gone, isWanted, failures) = state.withLock { state in
      defer { (state.gone, state.failures) = (0, []) }
      let reader = state.isDue ? state.reader : nil
      state.isBusy = reader != nil || state.gone > 0 || !state.failures.isEmpty
      return (reader, state.writer, state.gone, !state.isOver || state.end != nil, state.failures)
    }
    for failure in failures { onFailure(failure) }
    if let reader { handOver(to: reader) }
    // Behind that: the room that the writer gets is filled again.
    if gone > 0, let writer, let job = writer.job {
      if isWanted { writer.pool.consumed(job, count: gone) } else { writer.pool.cancel(job) }
    }
    return reader != nil || gone > 0 || !failures.isEmpty
  }

  /// Hands over what the reader may have, in one step of its pool: what others take meanwhile is in order with that.
  private func handOver(to reader: Terminal) {
    guard let job = reader.job else { return state.withLock { $0.isOver = true } }
    reader.pool.step { [self] dispatcher, now in
      while let (batch, isLast, end) = next() {
        let isComplete = if case .complete = end { true } else { false }
        if batch != nil || isLast || isComplete {
          dispatcher.arrived(
            job, batch ?? Batch(count: 0, cell: self), ended: isComplete, goesOn: !isLast && !isComplete, now: now)
        }
        switch end {
        case .failed(let error): dispatcher.inputFailed(job.id, error, now: now)
        case .cancelled: dispatcher.inputFailed(job.id, CancellationError(), now: now)
        case .complete, nil: break
        }
      }
    }
  }

  /// What the reader is told next: a run, whether it is the last that it has asked for, and the writer's end behind it.
  private func next() -> (batch: Batch?, isLast: Bool, end: JobEnd?)? {
    state.withLock { state in
      guard !state.isOver else { return nil }
      let batch = Self.take(&state)
      let isLast = state.isReading && state.demand == 0
      var end = state.count == 0 ? state.end : nil
      if case .complete = end, !state.isReading { end = nil }
      guard batch != nil || isLast || end != nil else { return nil }
      if isLast || end != nil { state.isReading = false }
      if end != nil { state.isOver = true }
      return (batch, isLast, end)
    }
  }

  /// Runs of fewer items than these are copied together, if more is behind them: a chunk has one cell.
  private static var small: Int { 64 }

  private static func take(_ state: inout State) -> Batch? {
    guard state.demand > 0, let first = state.runs.first, !state.isOver else { return nil }
    let left = first.range.count - state.offset
    let wanted = min(state.demand, state.count)
    let cell: InputCell<Item>
    if left >= wanted || left >= small {
      let count = min(left, wanted)
      let (outputs, place) = outputs(of: first, state.offset)
      cell = InputCell(base: state.next, count: count, lending: outputs, from: place)
      advance(&state, count)
    } else {
      cell = InputCell(base: state.next, capacity: wanted)
      while cell.count < wanted, let run = state.runs.first, run.range.count - state.offset < small {
        let count = min(wanted - cell.count, run.range.count - state.offset)
        let (outputs, place) = outputs(of: run, state.offset)
        withExtendedLifetime(outputs) {
          (cell.storage + cell.count).initialize(from: outputs.storage + place, count: count)
        }
        cell.count += count
        advance(&state, count)
      }
    }
    state.isAwaited = false
    cell.origin.companion = state.reader?.job?.companion
    return Batch(count: cell.count, cell: cell)
  }

  /// Where in its buffer the run's item lies.
  private static func outputs(of run: Segment, _ offset: Int) -> (OutputBuffer<Item>, Int) {
    guard case .outputs(let outputs) = run.content else { preconditionFailure("failures are no runs") }
    let buffer = unsafeDowncast(outputs, to: OutputBuffer<Item>.self)
    return (buffer, run.range.lowerBound - buffer.base + offset)
  }

  private static func advance(_ state: inout State, _ count: Int) {
    state.offset += count
    if state.offset == state.runs.first?.range.count {
      _ = state.runs.popFirst()
      state.offset = 0
    }
    state.count -= count
    state.next += count
    state.demand -= count
    state.gone += count
  }
}
