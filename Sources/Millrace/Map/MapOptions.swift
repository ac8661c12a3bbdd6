/// What a map does besides applying its worker to each item. Every option has a default; wrong values throw
/// ``InvalidOption`` when the map begins.
public struct MapOptions: Sendable {
  /// How items are grouped on their way to the workers. Default: ``MapOptions/Chunking/automatic``.
  public var chunking: MapOptions.Chunking
  /// How many items may be between the input and the consumer. Default: ``MapOptions/Window/automatic``.
  public var window: MapOptions.Window
  /// What a failed item means for the map. Default: ``MapOptions/FailurePolicy/failFast``.
  ///
  /// `outcomes(of:)` hands out failures as they are, whatever this says.
  public var onFailure: MapOptions.FailurePolicy
  /// When a failed item is tried again. Default: ``MapOptions/Retry/never``.
  public var retry: MapOptions.Retry
  /// How many items may fail before the map is given up; nil (default): any number, as far as `onFailure` allows.
  public var maximumFailures: Int?
  /// Limits on time. Default: none.
  public var timeouts: MapOptions.Timeouts
  /// When a worker is replaced by a fresh one. Default: never.
  public var lifespan: MapOptions.Lifespan
  /// Which worker gets which chunk. Default: ``MapOptions/Dispatch/workConserving``.
  public var dispatch: MapOptions.Dispatch
  /// When workers are set up. Default: ``MapOptions/SetUp/eager``.
  public var setUp: MapOptions.SetUp
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

  /// Creates options; what is not given has its default.
  public init(
    chunking: MapOptions.Chunking = .automatic, window: MapOptions.Window = .automatic, onFailure: MapOptions.FailurePolicy = .failFast,
    retry: MapOptions.Retry = .never, maximumFailures: Int? = nil, timeouts: MapOptions.Timeouts = MapOptions.Timeouts(),
    lifespan: MapOptions.Lifespan = MapOptions.Lifespan(), dispatch: MapOptions.Dispatch = .workConserving, setUp: MapOptions.SetUp = .eager,
    keepsWorkers: Bool = true, count: Int? = nil, seed: UInt64 = 0
  ) {
    self.chunking = chunking
    self.window = window
    self.onFailure = onFailure
    self.retry = retry
    self.maximumFailures = maximumFailures
    self.timeouts = timeouts
    self.lifespan = lifespan
    self.dispatch = dispatch
    self.setUp = setUp
    self.keepsWorkers = keepsWorkers
    self.count = count
    self.seed = seed
  }
}

/// How many items may be between the input and the consumer: read, queued, running, waiting to be in order.
public struct Window: Sendable, Hashable {
  enum Kind: Sendable, Hashable {
    case automatic
    case items(Int)
    case chunks(Double)
    case perWorker(Double)
  }
  let kind: Kind

  /// Two chunks for each worker. Sixteen where input and outputs are in memory anyway, as for an array whose map is collected
  /// into another, and more if they are small.
  ///
  /// Where chunks are automatic too, the window of a stream holds at most 64 items for each worker and as many as its consumer has
  /// taken, and never more than 65,536 for each worker: who leaves the loop after 40 outputs has read some hundred items, however
  /// quick they are.
  ///
  /// An item that takes longer than all that the window has behind it makes the other workers wait. If a few take thousands of
  /// times as long as the rest, a wider window keeps all workers busy meanwhile.
  public static let automatic = MapOptions.Window(kind: .automatic)

  static let ahead = 64

  /// At most so many items (MPIRE's `max_tasks_active`), at least 1.
  public static func items(_ count: Int) -> MapOptions.Window { MapOptions.Window(kind: .items(count)) }

  /// So many chunks for each worker, whatever their size; at least 1.
  public static func chunksPerWorker(_ count: Double) -> MapOptions.Window { MapOptions.Window(kind: .chunks(count)) }

  /// So many items for each worker (vimap's `max_total_in_flight_factor`); at least 1.
  public static func itemsPerWorker(_ count: Double) -> MapOptions.Window { MapOptions.Window(kind: .perWorker(count)) }
}

/// What a failed item means for its map.
public enum MapOptions.FailurePolicy: Sendable, Hashable {
  /// The first failure ends the map: it is thrown, and the rest is cancelled.
  case failFast
  /// Everything is run; then, if items failed, ``ItemFailures`` is thrown.
  case collect
  /// Failed items are left out.
  case skip
}

/// When a failed item is tried again. It keeps its place in the order and its random numbers.
public struct MapOptions.Retry: Sendable {
  /// How often an item is tried again at the most.
  public var maximum: Int
  /// How long to wait before it is.
  public var backoff: MapOptions.Backoff
  /// How often an item may crash its worker before it is quarantined, whatever `maximum` says.
  public var maximumCrashes: Int
  /// Whether a failure is worth a retry; nil: every one.
  public var condition: (@Sendable (ItemFailure) -> Bool)?

  /// A failed item has failed.
  public static let never = MapOptions.Retry(maximum: 0, backoff: .none, maximumCrashes: 3, condition: nil)

  /// Up to `maximum` more attempts, at once unless a back-off is given; an item that has crashed its worker
  /// `maximumCrashes` times (default 3) is not tried again. `when` says which failures are worth it (default: all).
  public static func retry(
    max maximum: Int, backoff: MapOptions.Backoff = .none, maximumCrashes: Int = 3,
    when condition: (@Sendable (ItemFailure) -> Bool)? = nil
  ) -> MapOptions.Retry {
    MapOptions.Retry(maximum: maximum, backoff: backoff, maximumCrashes: maximumCrashes, condition: condition)
  }
}

/// Limits on time; nil means none.
///
/// On worker processes an overdue item, set-up or tear-down ends with its worker: SIGTERM, and after the grace SIGKILL,
/// to it and all its descendants. On threads and tasks cancellation is cooperative: the item fails in time and a new
/// worker takes the slot, but the runaway goes on until it looks at `Task.isCancelled`; it is logged.
public struct Timeouts: Sendable, Hashable {
  /// How long an item may run.
  public var item: Duration?
  /// How long a worker's set-up may take.
  public var setUp: Duration?
  /// How long a worker's tear-down may take.
  public var tearDown: Duration?
  /// How long the consumer waits for the next result of a stream; the wait fails, the item goes on.
  public var next: Duration?
  /// How long the whole map or submission may take, from when it is given to the pool: waiting for a worker counts.
  ///
  /// Then it ends with a ``WorkerPoolError`` of kind ``WorkerPoolError/Kind-swift.enum/timedOut``, and what it has running is given up,
  /// as when it is cancelled.
  public var total: Duration?

  /// Creates limits.
  public init(
    item: Duration? = nil, setUp: Duration? = nil, tearDown: Duration? = nil, next: Duration? = nil,
    total: Duration? = nil
  ) {
    self.item = item
    self.setUp = setUp
    self.tearDown = tearDown
    self.next = next
    self.total = total
  }
}

/// When a worker is replaced by a fresh one: it finishes its chunk and tears down first. nil means never.
public struct Lifespan: Sendable, Hashable {
  /// After so many items.
  public var items: Int?
  /// When it has so many bytes of memory (resident; worker processes only).
  public var memory: Int?
  /// When it has been there so long.
  public var age: Duration?

  /// Creates a lifespan.
  public init(items: Int? = nil, memory: Int? = nil, age: Duration? = nil) {
    self.items = items
    self.memory = memory
    self.age = age
  }
}

/// Which worker gets which chunk.
public enum MapOptions.Dispatch: Sendable, Hashable {
  /// Whoever is free takes the next one; nobody idles while work waits.
  case workConserving
  /// Chunk i goes to slot i modulo the width (MPIRE's `order_tasks`).
  case roundRobin
}

/// When workers are set up.
public enum MapOptions.SetUp: Sendable, Hashable {
  /// In every slot, as soon as the map has an item.
  case eager
  /// In a slot just before its first chunk.
  case lazy
}

extension MapOptions {
  func validate() throws {
    try check("timeouts.item", timeouts.item)
    try check("timeouts.setUp", timeouts.setUp)
    try check("timeouts.tearDown", timeouts.tearDown)
    try check("timeouts.next", timeouts.next)
    try check("timeouts.total", timeouts.total)
    try check("lifespan.age", lifespan.age)
    try check("lifespan.items", lifespan.items, atLeast: 1)
    try check("lifespan.memory", lifespan.memory, atLeast: 1)
    try check("maximumFailures", maximumFailures, atLeast: 0)
    try check("count", count, atLeast: 0)
    try check("retry.max", retry.maximum, atLeast: 0)
    try check("retry.maximumCrashes", retry.maximumCrashes, atLeast: 1)
    switch window.kind {
    case .items(let count): try check("window.items", count, atLeast: 1)
    case .automatic: break
    case .chunks(let count), .perWorker(let count):
      guard count >= 1, count.isFinite else {
        throw InvalidOption(name: "window", value: "\(count)", allowed: "a finite number, at least 1")
      }
    }
    let backoff = retry.backoff
    if backoff.initial < .zero || backoff.maximum < .zero || !(backoff.factor >= 1) {
      throw InvalidOption(
        name: "retry.backoff", value: "\(backoff)", allowed: "delays of at least zero and a factor of at least 1"
      )
    }
    try chunking.validate()
  }

  /// Sixteen chunks for each worker, or as many as make two thousand items: while one worker is at an item that takes long, the
  /// others do what is behind it. Not more, for what is read ahead is cut in chunks before its time is known.
  private var chunksInMemory: Double {
    guard case .items(let size) = chunking.rule else { return 16 }
    return max(16, 2_048 / Double(size))
  }

  private func check(_ name: String, _ value: Duration?) throws {
    if let value, value <= .zero { throw InvalidOption(name: name, value: value, allowed: "more than zero") }
  }

  private func check(_ name: String, _ value: Int?, atLeast minimum: Int) throws {
    if let value, value < minimum {
      throw InvalidOption(name: name, value: value, allowed: "at least \(minimum)")
    }
  }

  /// - Parameter isInMemory: whether the whole input and all outputs are, so that a window saves nothing.
  func spec(_ worker: WorkerKey, ordered: Bool, width: Int, isInMemory: Bool) -> JobSpec {
    var spec = JobSpec(worker: worker)
    spec.ordered = ordered
    spec.chunking = ChunkSizer(chunking)
    spec.total = count
    spec.window =
      switch window.kind {
      case .automatic: .chunks(perWorker: isInMemory ? chunksInMemory : 2)
      case .items(let count): .items(count)
      case .chunks(let count): .chunks(perWorker: count)
      case .perWorker(let count): .items(max(1, Int(atMost: count * Double(width))))
      }
    if window.kind == .automatic, chunking.rule == .automatic { spec.ahead = MapOptions.Window.ahead }
    spec.failFast = onFailure == .failFast
    spec.maximumFailures = maximumFailures
    spec.retries = retry.maximum
    spec.backoff = retry.backoff
    spec.crashLimit = retry.maximumCrashes
    spec.itemTimeout = timeouts.item?.nanoseconds
    spec.setUpTimeout = timeouts.setUp?.nanoseconds
    spec.tearDownTimeout = timeouts.tearDown?.nanoseconds
    spec.totalTimeout = timeouts.total?.nanoseconds
    spec.lifespan = JobSpec.Lifespan(
      items: lifespan.items, memory: lifespan.memory, age: lifespan.age?.nanoseconds)
    spec.roundRobin = dispatch == .roundRobin
    spec.eagerSetUp = setUp == .eager
    spec.keepsWorkers = keepsWorkers
    spec.seed = seed
    return spec
  }
}

extension Int {
  /// The number, rounded up, or the largest there is.
  init(atMost number: Double) {
    let whole = number.rounded(.up)
    self = whole < Double(Int.max) ? Int(whole) : .max
  }
}
