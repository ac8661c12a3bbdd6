import MillraceIPC

/// Where the outputs of a run wait for whoever wants them.
final class PipelineConsumer: Sendable {
  private struct State {
    var parcels: [Parcel] = []
    var failures: [ItemFailure] = []
    var failureCount = 0
    var result: Result<Void, any Error>?
    var waiter: UnsafeContinuation<Void, Never>?
    /// When it last went on.
    var wokenAt: UInt64 = 0
  }
  private let state = Lock(State())
  /// Nobody wants the outputs, only failures and the end.
  private let dropsOutputs: Bool

  init(dropsOutputs: Bool) { self.dropsOutputs = dropsOutputs }

  /// Who waits for the outputs, and when he is to go on at the latest.
  struct Waiter {
    let continuation: UnsafeContinuation<Void, Never>
    let due: UInt64
  }

  /// From the engine, in the outputs' order; it has whoever waits for them go on.
  func deliver(_ parcels: [Parcel]) -> Waiter? {
    if dropsOutputs {
      for parcel in parcels { if case .failure(let failure, .told, _) = parcel.content { failed(failure) } }
      return nil
    }
    return state.withLock { state in
      state.parcels += parcels
      defer { state.waiter = nil }
      return state.waiter.map { Waiter(continuation: $0, due: state.wokenAt &+ PoolCore.restTime) }
    }
  }

  /// An item has failed that is to be told of at the end.
  func failed(_ failure: ItemFailure) {
    state.withLock { state in
      state.failureCount += 1
      if state.failures.count < ItemFailures.limit { state.failures.append(failure) }
    }
  }

  func end(_ result: Result<Void, any Error>) {
    state.withLock { state in
      state.result = result
      defer { state.waiter = nil }
      return state.waiter
    }?.resume()
  }

  /// What there is; nil: there is no more.
  func take() -> (parcels: [Parcel], result: Result<Void, any Error>?) {
    state.withLock { state in
      defer { state.parcels = [] }
      return (state.parcels, state.result)
    }
  }

  func waitForNews() async {
    await withUnsafeContinuation { continuation in
      let mustWait = state.withLock { state in
        guard state.parcels.isEmpty, state.result == nil else { return false }
        state.waiter = continuation
        return true
      }
      if !mustWait { continuation.resume() }
    }
    state.withLock { $0.wokenAt = _monotonicNow() }
  }

  /// What failed and was to be collected, as an error.
  func throwFailures() throws {
    let (failures, count) = state.withLock { ($0.failures, $0.failureCount) }
    if count > 0 { throw ItemFailures(failures: failures, count: count) }
  }
}

/// Takes the outputs of a run, which begins with the first that is asked for. Dropping it gives up what is left.
final class PipelineCursor<Output: Sendable>: OutputSource {
  /// Whether items come with their meta.
  private let isTagged: Bool
  private let begin: (PipelineConsumer) async throws -> PipelineEngine
  private let consumer: PipelineConsumer
  /// Which of the run's outputs it takes.
  private let output: Int
  private var engine: PipelineEngine?
  private var waiting = FIFO<Parcel>()
  private var isOver = false

  init(
    isTagged: Bool, output: Int = 0, for consumer: PipelineConsumer = PipelineConsumer(dropsOutputs: false),
    _ begin: @escaping (PipelineConsumer) async throws -> PipelineEngine
  ) {
    self.isTagged = isTagged
    (self.output, self.consumer) = (output, consumer)
    self.begin = begin
  }

  deinit {
    if !isOver { engine?.tell { [output] in $0.left(output) } }
  }

  /// The next parcel; nil at the end. Throws what has ended the run.
  func next() async throws -> Parcel? {
    if isOver { return nil }
    if let parcel = waiting.popFirst() { return parcel }
    let (engine, output) = (try await started(), output)
    if Task.isCancelled { engine.tell { $0.cancel(output) } }
    engine.tell { $0.wants(output) }
    while true {
      let (parcels, result) = consumer.take()
      for parcel in parcels { waiting.append(parcel) }
      if let parcel = waiting.popFirst() { return parcel }
      if let result {
        isOver = true
        try result.get()
        try consumer.throwFailures()
        return nil
      }
      try await engine.inside.waiting {
        await withTaskCancellationHandler {
          await consumer.waitForNews()
        } onCancel: {
          engine.tell { $0.cancel(output) }
        }
      }
    }
  }

  private func started() async throws -> PipelineEngine {
    if let engine { return engine }
    do {
      let engine = try await begin(consumer)
      self.engine = engine
      return engine
    } catch {
      isOver = true
      throw error
    }
  }

  /// One of a parcel's values.
  func value(_ items: OutputStore, _ offset: Int) -> (Output, Meta) {
    if !isTagged { return (unsafeDowncast(items, to: OutputBuffer<Output>.self)[offset: offset], Meta()) }
    let tagged = unsafeDowncast(items, to: OutputBuffer<Tagged<Output>>.self)[offset: offset]
    return (tagged.item, tagged.meta)
  }

  func nextOutputs() async throws -> (outputs: OutputBuffer<Output>, range: Range<Int>)? {
    while let parcel = try await next() {
      switch parcel.content {
      case .values(let items, let offset):
        if isTagged {
          return (OutputBuffer<Output>.untagged(items, offset, parcel.count), 0..<parcel.count)
        }
        let first = items.base + offset
        return (unsafeDowncast(items, to: OutputBuffer<Output>.self), first..<first + parcel.count)
      case .failure(let failure, let meaning, _):
        if meaning == .told { consumer.failed(failure) }
      case .gap: preconditionFailure("what was left out is known up to a join, and no further")
      }
    }
    return nil
  }
}
