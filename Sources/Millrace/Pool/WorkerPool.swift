public import Logging
import Synchronization

/// Workers that stay, for one map after another, and several at once.
///
/// Prefer the scope ``withWorkerPool(_:queueLimit:logger:_:)``; a pool made by hand ends with ``shutdown()`` or ``terminate()``.
/// A pool that is dropped without either is terminated.
public final class WorkerPool: Sendable {
  let core: PoolCore
  package let kind: any BackendKind
  // Most pools have neither: each is made when somebody asks for it.
  private let lazyInsights = AtomicLazyReference<InsightsPlace>()
  private let lazyCompany = AtomicLazyReference<Company>()
  /// What records where time goes, if somebody wants to know.
  var insightsPlace: InsightsPlace { lazyInsights.load() ?? lazyInsights.storeIfNil(InsightsPlace()) }
  /// Who goes along with its maps.
  package var company: Company { lazyCompany.load() ?? lazyCompany.storeIfNil(Company()) }
  /// Makes a companion for each map, if somebody goes along with them.
  var companion: (any PoolCompanion)? { lazyCompany.load()?.current }

  /// Creates a pool. Its workers start with its first map.
  ///
  /// - Parameters:
  ///   - backend: What the pool's slots are made of, and how many they are.
  ///   - queueLimit: How many maps and submissions may wait for a worker, nothing of them begun, beside those for which a slot is
  ///     free; nil (default): any number. One more is refused at once, with a ``WorkerPoolError`` of kind
  ///     ``WorkerPoolError/Kind-swift.enum/queueFull``.
  ///   - logger: Where the pool says what it has to say.
  /// - Throws: ``InvalidOption`` if the width, CPUs or process options are out of range; ``WorkerPoolError`` if worker
  ///   processes cannot be started.
  public init(
    _ backend: WorkerPool.Backend = .threads(), queueLimit: Int? = nil, logger: Logger = Logger(label: "millrace")
  ) throws {
    if let queueLimit, queueLimit < 0 {
      throw InvalidOption(name: "queueLimit", value: "\(queueLimit)", allowed: "zero or more")
    }
    let width = try Nesting.width(for: backend)
    kind = backend.kind
    // Not the property before nothing can throw any more: what is whole is ended when it is dropped.
    let core = PoolCore(backend.kind, logger: logger, queueLimit: queueLimit)
    core.connect(try backend.kind.makeSlots(core, width: width))
    core.resize(to: width)
    self.core = core
  }

  deinit {
    // A copy in a worker process has nothing to end.
    if (try? core.expectOwnProcess()) != nil, !core.hasStopped { core.terminate() }
  }

  /// Where it says what it has to say.
  package var logger: Logger { core.logger }

  /// The number of slots.
  public var width: Int { core.width }

  /// Changes the number of slots, also while maps run. Surplus workers finish what they have and tear down.
  ///
  /// - Throws: ``InvalidOption`` if the width is out of range; a serial pool always has one slot. A ``WorkerPoolError`` of kind
  ///   `closed` if the pool was shut down.
  public func resize(to width: Int) throws {
    try core.expectOwnProcess()
    try core.expectOpen()
    try kind.validate(width: width)
    core.resize(to: width)
  }

  /// Finishes what was begun, tears the workers down and waits until they are gone.
  ///
  /// Maps run to their end, unless their items begin others on this pool, which takes no more work from anybody. Streams end their input:
  /// what was read is finished, and waits for its consumer. If the task
  /// that waits is cancelled, the pool is terminated instead. A tear-down for which no map has set a limit may take 30 seconds;
  /// then its worker is ended.
  ///
  /// - Throws: A ``WorkerPoolError`` of kind `calledFromItem` in an item of this pool, which would wait for itself, and of kind
  ///   `foreignPool` in a worker process that has a copy of it. Nothing else: elsewhere it does not fail.
  public func shutdown() async throws(WorkerPoolError) {
    try core.expectOutside("shutdown()")
    await end()
  }

  func end() async {
    core.shutDown()
    await withTaskCancellationHandler {
      await core.waitUntilStopped()
    } onCancel: {
      core.terminate()
    }
  }

  /// Gives up what was begun, ends the workers and waits until they are gone.
  ///
  /// - Throws: As ``shutdown()``, where it is called from inside.
  public func terminate() async throws(WorkerPoolError) {
    try core.expectOutside("terminate()")
    await giveUp()
  }

  func giveUp() async {
    core.terminate()
    await core.waitUntilStopped()
  }

  /// Tears down every instance of the worker, once the maps that use it are over, and returns what they handed back:
  /// one value for each instance that ever ran (also of those replaced at the end of their lifespan), in the order of
  /// slots. A tear-down without a limit of its own may take 30 seconds; then its worker is ended.
  ///
  /// Until then they are kept, but for values of `Void`, which are only counted: a worker that is replaced often and hands back something large is better torn
  /// down at times.
  ///
  /// A worker that crashed, was ended, or was written off for its slowness has no value: what it had counted is gone. The value of a
  /// closure's worker is `Void`.
  ///
  /// - Returns: Empty if no worker that equals this one was used (see ``MapOptions/keepsWorkers``).
  /// - Throws: As ``shutdown()``, where it is called from inside.
  public func tearDown<W: Worker>(_ worker: W) async throws(WorkerPoolError) -> [WorkerExit<W.Exit>] {
    try core.expectOutside("tearDown(_:)", ofRuns: false)
    guard let record = core.existingRecord(of: worker) else { return [] }
    await core.close(record)
    return record.takeExits().sorted { $0.slot < $1.slot }.map { exit in
      WorkerExit(slot: exit.slot, result: exit.result.map { $0 as! W.Exit })
    }
  }
}

/// What a worker handed back when it ended.
public struct WorkerExit<Value: Sendable>: Sendable {
  /// The slot in which it lived.
  public let slot: Int
  /// The value of its tear-down, or the error that it threw.
  public let result: Result<Value, any Error>
}

/// Runs a pool for as long as the body runs.
///
/// When the body returns, the pool is shut down (``WorkerPool/shutdown()``); when it throws or its task is cancelled, the
/// pool is terminated. Either way no worker, process or descriptor of the pool is left when this returns.
///
/// - Throws: What the body throws, and what ``WorkerPool/init(_:queueLimit:logger:)`` throws.
public func withWorkerPool<Result>(
  _ backend: WorkerPool.Backend = .threads(), queueLimit: Int? = nil, logger: Logger = Logger(label: "millrace"),
  _ body: (WorkerPool) async throws -> Result
) async throws -> Result {
  let pool = try WorkerPool(backend, queueLimit: queueLimit, logger: logger)
  do {
    let result = try await body(pool)
    if Task.isCancelled { await pool.giveUp() } else { await pool.end() }
    return result
  } catch {
    await pool.giveUp()
    throw error
  }
}
