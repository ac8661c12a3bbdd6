/// What a stage, or a group of them, does besides its work; what is not given is inherited from the group around it, and the pipeline.
public struct StageOptions: Sendable {
  /// What it is called in layouts and failures.
  public var name: String?
  /// What its slots are made of; nil: the pipeline's pool.
  public var backend: WorkerPool.Backend?
  /// In which order it sees and gives items.
  public var order: MapOptions.Order?
  /// What a failed item means for the run.
  public var onFailure: MapOptions.FailurePolicy?
  /// When a failed item is tried again: through all stages that run together with this one.
  public var retry: MapOptions.Retry?
  /// Limits on time.
  public var timeouts: MapOptions.Timeouts?
  /// How many items it may have at once: those that it has been given and that have not gone on, re-ordering included.
  ///
  /// What waits between two stages is besides. ``Pipeline/layout(on:)`` says what all of it comes to.
  public var window: MapOptions.Window?
  /// When a worker is replaced by a fresh one.
  public var lifespan: MapOptions.Lifespan?
  /// The side channels into which it may put.
  var channels: [any SideUse] = []
  /// With whom its slots are shared; nil: with nobody.
  var balance: SlotBalance?
  /// Whether the time that it works on each item is noted in the item's ``Meta``.
  public var recordsTimings: Bool?

  /// Options; what is not given is inherited.
  public init(
    name: String? = nil, on backend: WorkerPool.Backend? = nil, order: MapOptions.Order? = nil,
    onFailure: MapOptions.FailurePolicy? = nil, retry: MapOptions.Retry? = nil, timeouts: MapOptions.Timeouts? = nil,
    window: MapOptions.Window? = nil, lifespan: MapOptions.Lifespan? = nil, recordsTimings: Bool? = nil
  ) {
    self.name = name
    self.backend = backend
    self.order = order
    self.onFailure = onFailure
    self.retry = retry
    self.timeouts = timeouts
    self.window = window
    self.lifespan = lifespan
    self.recordsTimings = recordsTimings
  }

  /// These, and where they say nothing, the others.
  package func inheriting(_ outer: StageOptions) -> StageOptions {
    var options = StageOptions(
      name: name, on: backend ?? outer.backend, order: order ?? outer.order, onFailure: onFailure ?? outer.onFailure,
      retry: retry ?? outer.retry, timeouts: timeouts ?? outer.timeouts, window: window ?? outer.window,
      lifespan: lifespan ?? outer.lifespan,
      recordsTimings: recordsTimings ?? outer.recordsTimings)
    options.channels = channels + outer.channels
    options.balance = balance ?? outer.balance
    return options
  }
}
