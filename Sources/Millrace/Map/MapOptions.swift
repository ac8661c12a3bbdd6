/// What a map does besides applying its worker to each item. Every option has a default; wrong values throw
/// ``InvalidOption`` when the map begins.
public struct MapOptions: Sendable {
  /// How items are grouped on their way to the workers. Default: ``MapOptions/Chunking/automatic``.
  public var chunking: Chunking
  /// How many items may be between the input and the consumer. Default: ``MapOptions/Window/automatic``.
  public var window: Window
  /// When a failed item is tried again. Default: ``MapOptions/Retry/never``.
  public var retry: Retry
  /// How many items may fail before the map is given up; nil (default): any number, as far as the map's `onFailure` allows.
  /// Refused with `.failFast`, which ends the map at the first.
  public var maximumFailures: Int?
  /// Limits on time. Default: none.
  public var timeouts: Timeouts
  /// How long the consumer waits for the next result; then the wait fails with a ``WorkerPoolError`` of kind
  /// ``WorkerPoolError/Kind-swift.enum/nextTimedOut``, the items go on, and one may ask again. `map` and `forEach`, which cannot ask again, end with it. nil (default): for ever. Refused in a
  /// serial pool, where whoever asks does the work himself.
  public var nextTimeout: Duration?
  /// When a worker is replaced by a fresh one. Default: never.
  public var lifespan: Lifespan
  /// Which worker gets which chunk. Default: ``MapOptions/Dispatch/workConserving``.
  public var dispatch: Dispatch
  /// When workers are set up. Default: ``MapOptions/SetUp/eager``.
  public var setUp: SetUp
  /// Whether workers stay set up for the next map with an equal worker. Default: true.
  ///
  /// Workers are equal if they are of one type and compare equal (`Equatable`), encode to the same bytes (`Encodable`),
  /// or have no stored properties. A closure is equal to nothing, so its workers end with their map.
  ///
  /// Of workers that no map uses, a pool keeps the sixteen that were used last, with `start: .fork`, where
  /// each has a process of its own in every slot, four. The others are torn down, and what they hand back is not kept.
  public var keepsWorkers: Bool
  /// The length of the input, if it is known better than the input itself says; no more items than these are read.
  public var count: Int?
  /// What the items' random numbers derive from (``WorkerContext/random``). Default: 0.
  public var seed: UInt64

  /// How the map shows how far it is. Default: ``ProgressStyle/none``. See <doc:Progress>.
  public var progress: ProgressStyle

  /// Creates options; what is not given has its default.
  public init(
    chunking: Chunking = .automatic, window: Window = .automatic,
    retry: Retry = .never, maximumFailures: Int? = nil,
    timeouts: Timeouts = Timeouts(), nextTimeout: Duration? = nil,
    lifespan: Lifespan = Lifespan(), dispatch: Dispatch = .workConserving,
    setUp: SetUp = .eager,
    keepsWorkers: Bool = true, count: Int? = nil, seed: UInt64 = 0, progress: ProgressStyle = .none
  ) {
    self.chunking = chunking
    self.window = window
    self.retry = retry
    self.maximumFailures = maximumFailures
    self.timeouts = timeouts
    self.nextTimeout = nextTimeout
    self.lifespan = lifespan
    self.dispatch = dispatch
    self.setUp = setUp
    self.keepsWorkers = keepsWorkers
    self.count = count
    self.seed = seed
    self.progress = progress
  }
}
