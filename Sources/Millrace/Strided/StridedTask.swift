import MillraceIPC
import Synchronization

/// What a strided map keeps of a task besides what its machine knows: inputs on their way to the pool, results, and who waits.
///
/// Its variables are guarded by the run's lock. What it lets go of may be the user's, and is handed out, to be released behind it.
class StridedTask: @unchecked Sendable {
  // Sound: `position` never changes, all else changes under the run's lock only.
  let position: Int
  /// How many of its tasklets may go to the pool that have not yet.
  var allowance = 0
  /// How many of them are there.
  var inPool = 0
  var isExhausted = false
  /// Why its input ended early; thrown at its end.
  var inputError: (any Error)?
  /// Whoever hands its inputs to the pool waits for the next.
  var feedWaiter: UnsafeContinuation<Void, Never>?

  init(position: Int) { self.position = position }

  /// Its next tasklet is to be run: gets its input ready.
  func submit(_ index: Int) {}
  /// The result at the index is a failure of another task's.
  func passOn(_ index: Int, _ failure: UpstreamFailure, slot: Int, attempt: Int) {}
  func failure(at index: Int) -> ItemFailure? { nil }
  func release(_ index: Int) -> Any? { nil }
  func deliver(_ index: Int, to waiter: UInt64) -> () -> Void { {} }
  func end(_ waiter: UInt64, _ error: (any Error)?) -> () -> Void { {} }
  /// Whom it ends for; nil if he does not wait any more.
  func refuse(_ waiter: UInt64, _ error: any Error) -> (() -> Void)? { nil }
  var waiting: [UInt64] { [] }
  /// Lets go of all values.
  func clear() -> [Any] { [] }
  /// Its external input, if it has one.
  var reader: (any StridedReading)? { nil }
  /// Runs its tasklets, as they are submitted, until there will be no more.
  func pump(_ run: StridedRun) async throws {}
}

/// A task's results.
class StridedResults<Output: Sendable>: StridedTask, @unchecked Sendable {
  // Sound: as `StridedTask`.
  typealias Answer = UnsafeContinuation<Result<Output, ItemFailure>?, any Error>

  private var results: [Int: Result<Output, ItemFailure>] = [:]
  private var waiters: [UInt64: Answer] = [:]

  subscript(index: Int) -> Result<Output, ItemFailure>? { results[index] }

  func finished(_ index: Int, _ result: Result<Output, ItemFailure>) { results[index] = result }

  func waits(_ waiter: UInt64, _ answer: Answer) { waiters[waiter] = answer }

  override func passOn(_ index: Int, _ failure: UpstreamFailure, slot: Int, attempt: Int) {
    results[index] = .failure(ItemFailure(index: index, slot: slot, attempt: attempt, cause: .threw(failure)))
  }

  override func failure(at index: Int) -> ItemFailure? {
    if case .failure(let failure) = results[index] { failure } else { nil }
  }

  override func release(_ index: Int) -> Any? { results.removeValue(forKey: index) }

  override func deliver(_ index: Int, to waiter: UInt64) -> () -> Void {
    let (answer, result) = (waiters.removeValue(forKey: waiter)!, results.removeValue(forKey: index)!)
    return { answer.resume(returning: result) }
  }

  override func end(_ waiter: UInt64, _ error: (any Error)?) -> () -> Void {
    let answer = waiters.removeValue(forKey: waiter)!
    if let error { return { answer.resume(throwing: error) } }
    return { answer.resume(returning: nil) }
  }

  override func refuse(_ waiter: UInt64, _ error: any Error) -> (() -> Void)? {
    waiters.removeValue(forKey: waiter).map { answer in { answer.resume(throwing: error) } }
  }

  override var waiting: [UInt64] { Array(waiters.keys) }

  override func clear() -> [Any] {
    defer { results = [:] }
    return [results]
  }
}

/// A task: a worker, where its items come from, and its results.
final class StridedJob<W: Worker>: StridedResults<W.Output>, @unchecked Sendable {
  // Sound: as `StridedTask`; the worker and the options never change.
  enum Input {
    case external(StridedReader<W.Input>)
    /// Results of other tasks, at an index; called under the run's lock.
    case results((Int) -> W.Input)
  }

  private let worker: W
  private let options: MapOptions
  private let input: Input
  private var inputs = FIFO<W.Input>()
  /// How many tasklets were submitted, and which item of the pool's is which of them: failures that are passed on never go there.
  private var submitted = 0
  /// How many were run, where each is a map of its own.
  private var ran = 0
  private var indices: [Int: Int] = [:]

  init(position: Int, _ worker: W, _ options: MapOptions, _ input: Input) {
    self.worker = worker
    self.options = options
    self.input = input
    super.init(position: position)
  }

  override var reader: (any StridedReading)? {
    if case .external(let reader) = input { reader } else { nil }
  }

  override func submit(_ index: Int) {
    indices[submitted] = index
    submitted += 1
    switch input {
    case .external(let reader): inputs.append(reader.take()!)
    case .results(let input): inputs.append(input(index))
    }
  }

  override func clear() -> [Any] {
    defer { inputs = FIFO() }
    return super.clear() + [inputs] + (reader.flatMap { $0.discard() }.map { [$0] } ?? [])
  }

  /// The next input for the pool, if it may have one already.
  func takeInput() -> W.Input? {
    guard allowance > 0, let next = inputs.popFirst() else { return nil }
    allowance -= 1
    return next
  }

  /// Whether the pool has all inputs of what was submitted.
  var isDrained: Bool { inputs.isEmpty }

  /// Which tasklet was the pool's item of that index.
  func tasklet(of item: Int) -> Int? { indices.removeValue(forKey: item) }

  override func pump(_ run: StridedRun) async throws {
    if run.pool.core.driver != nil { return try await pumpOneByOne(run) }
    let feed = TaskletFeed(run: run, job: self)
    var lost: ItemFailure?
    for try await outcome in run.pool.outcomes(of: feed, with: worker, order: .completion, options: options) {
      finished(outcome, of: run, &lost)
    }
    try expectNone(lost)
  }

  /// Hands the outcome on. Not that of an item for which there is no worker: the map ends with why, and an output might end before that.
  private func finished(
    _ outcome: Outcome<W.Input, W.Output>, of run: StridedRun, item: Int? = nil, _ lost: inout ItemFailure?
  ) {
    if case .failure(let failure) = outcome.result, case .setUpFailed = failure.cause {
      lost = failure
    } else {
      run.finished(self, outcome, item: item)
    }
  }

  /// Whatever a map says at its end: one in which there was no worker has failed.
  private func expectNone(_ lost: ItemFailure?) throws {
    guard let lost else { return }
    throw WorkerPoolError(
      .setUpFailed, "the worker could not be set up (slot \(lost.slot))", underlying: lost.underlying, slot: lost.slot)
  }

  /// In a serial pool a map's consumer reads its input, and cannot do so and take outcomes at once; but another consumer may have run
  /// the item for whose outcome the next input waits. So each tasklet is a map of its own there, with the same worker.
  private func pumpOneByOne(_ run: StridedRun) async throws {
    let kept = KeptWorker(worker: worker, identity: self)
    var request = MapRequest(options: options, onFailure: .skip, isPulled: true)
    let total = options.timeouts.total
    let deadline = total.map { ContinuousClock.now + $0 }
    var (failure, lost): ((any Error)?, ItemFailure?)
    do {
      while let input = await run.nextInput(of: self) {
        // The limit is one for all of them.
        if let deadline { request.options.timeouts.total = max(deadline - .now, .nanoseconds(1)) }
        // Each is the only item of its map, and not the first of its task.
        request.origin.index = ran
        for try await outcome in run.pool.outcomes(of: CollectionOfOne(input), with: kept, request) {
          finished(outcome, of: run, item: ran, &lost)
          ran += 1
        }
        try expectNone(lost)
      }
    } catch let error as WorkerPoolError where error.kind == .timedOut && total != nil {
      // It knows what was left of the limit.
      failure = WorkerPoolError(.timedOut, "not done within \(total!)")
    } catch {
      failure = error
    }
    // Inside an item of the pool it cannot be waited for: then it is torn down with the pool.
    _ = try? await run.pool.tearDown(kept)
    if let failure { throw failure }
  }
}

/// A worker that equals itself, and so stays set up from one map to the next.
private struct KeptWorker<W: Worker>: Worker, Equatable {
  let worker: W
  let identity: StridedJob<W>

  static func == (one: Self, other: Self) -> Bool { one.identity === other.identity }

  func setUp(_ context: WorkerContext) async throws -> W.State { try await worker.setUp(context) }
  func process(_ item: W.Input, state: inout W.State) async throws -> W.Output {
    try await worker.process(item, state: &state)
  }
  func tearDown(_ state: W.State) async throws -> W.Exit { try await worker.tearDown(state) }
}

/// The inputs of a task, for the pool: each as soon as it is its turn.
struct TaskletFeed<W: Worker>: AsyncSequence, AsyncIteratorProtocol, Sendable {
  let run: StridedRun
  let job: StridedJob<W>

  func makeAsyncIterator() -> TaskletFeed { self }

  func next() async throws -> W.Input? { await run.nextInput(of: job) }

  func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> W.Input? { await run.nextInput(of: job) }
}
