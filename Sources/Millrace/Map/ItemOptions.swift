/// What ``WorkerPool/run(_:with:options:)`` and ``WorkerPool/submit(_:with:options:)`` do besides applying a worker to their item.
/// Every option has a default; wrong values throw ``InvalidOption``.
public struct ItemOptions: Sendable {
  /// When the item is tried again if it fails. Default: ``MapOptions/Retry/never``.
  public var retry: MapOptions.Retry
  /// Limits on time. Default: none.
  public var timeouts: MapOptions.Timeouts
  /// When the worker is replaced by a fresh one. Default: never.
  public var lifespan: MapOptions.Lifespan
  /// When workers are set up. Default: ``MapOptions/SetUp/lazy``, in the slot that runs the item.
  public var setUp: MapOptions.SetUp
  /// Whether the worker stays set up, as ``MapOptions/keepsWorkers``. Default: true.
  public var keepsWorkers: Bool
  /// What the item's random numbers derive from (``WorkerContext/random``). Default: 0.
  public var seed: UInt64

  /// Creates options; what is not given has its default.
  public init(
    retry: MapOptions.Retry = .never, timeouts: MapOptions.Timeouts = MapOptions.Timeouts(),
    lifespan: MapOptions.Lifespan = MapOptions.Lifespan(), setUp: MapOptions.SetUp = .lazy, keepsWorkers: Bool = true,
    seed: UInt64 = 0
  ) {
    self.retry = retry
    self.timeouts = timeouts
    self.lifespan = lifespan
    self.setUp = setUp
    self.keepsWorkers = keepsWorkers
    self.seed = seed
  }
}

extension MapOptions {
  /// The options of a map of one item.
  init(_ options: ItemOptions) {
    self.init(
      retry: options.retry, timeouts: options.timeouts, lifespan: options.lifespan, setUp: options.setUp,
      keepsWorkers: options.keepsWorkers, seed: options.seed)
  }
}
