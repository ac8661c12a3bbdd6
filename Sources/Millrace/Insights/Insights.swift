/// Where the time of a pool's workers went: ``WorkerPool/insights``.
///
/// It is a value: take one whenever you like, print it, or encode it (`Codable`; times are numbers of seconds).
public struct Insights: Sendable, Hashable, Codable {
  /// The form of the encoded value. It changes when a property is renamed or means something else, not when one is added.
  public var version = 1
  /// Whether slots are places in a queue, as those of a cluster are: what waits in one waits for an agent, and keeps no worker waiting.
  public var slotsAreQueuePlaces: Bool {
    get { queuePlaces ?? false }
    set { queuePlaces = newValue ? true : nil }
  }
  private var queuePlaces: Bool?
  /// Since when it was recorded.
  public var elapsed: Duration { elapsedTime.duration }
  /// Slot by slot.
  public var slots: [Slot] = [] {
    didSet { (ratiosThere, meanThere, deviationThere) = (ratios, mean, deviation) }
  }
  /// How long single items took.
  public var items = ItemTimes()
  /// The items that took longest, the longest first; five at the most.
  public var longest: [LongestItem] = []
  var elapsedTime = Seconds()

  enum CodingKeys: String, CodingKey {
    case version, slots, items, longest
    case queuePlaces = "slotsAreQueuePlaces"
    case elapsedTime = "elapsed"
    case ratiosThere = "ratios"
    case meanThere = "mean"
    case deviationThere = "deviation"
  }

  // What follows from the slots, for who reads the encoded value elsewhere. An earlier release has not written it.
  private var ratiosThere: Ratios?
  private var meanThere: Times?
  private var deviationThere: Times?

  /// What the workers of a slot did.
  public struct Slot: Sendable, Hashable, Codable {
    /// The slot's number; nil for all of them together.
    public var slot: Int?
    /// Items with an output.
    public var items = 0
    /// Items that failed for good.
    public var failed = 0
    /// Attempts that failed and were followed by another.
    public var retried = 0
    /// Chunks.
    public var chunks = 0
    /// Where the time went.
    public var times = Times()
    /// Workers that took the place of another, by what had become of that.
    public var restarts = Restarts()
    /// Workers that died by themselves.
    public var crashes = 0
    /// What was sent to it, in bytes; nil where items are not sent.
    public var bytesIn: Int?
    /// What came back from it, in bytes: outputs and failures; nil where they are not sent.
    public var bytesOut: Int?
    /// The most memory that it was seen to have resident after a chunk, in bytes: of a worker process its own, in this process that of the
    /// program. It is looked at every 50 milliseconds at the most; nil where that is not known, as of other machines.
    public var peakMemory: Int?
  }

  /// Where time went.
  public struct Times: Sendable, Hashable, Codable {
    var startUpTime = Seconds()
    var setUpTime = Seconds()
    var waitingTime = Seconds()
    var workingTime = Seconds()
    var tearDownTime = Seconds()

    enum CodingKeys: String, CodingKey {
      case startUpTime = "startUp"
      case setUpTime = "setUp"
      case waitingTime = "waiting"
      case workingTime = "working"
      case tearDownTime = "tearDown"
    }

    /// Until a worker was there: for processes, until it had been launched.
    public var startUp: Duration { startUpTime.duration }
    /// In set-ups.
    public var setUp: Duration { setUpTime.duration }
    /// With nothing to do, or on the way.
    public var waiting: Duration { waitingTime.duration }
    /// In items.
    public var working: Duration { workingTime.duration }
    /// In tear-downs.
    public var tearDown: Duration { tearDownTime.duration }
    /// All of it.
    public var total: Duration { startUp + setUp + waiting + working + tearDown }
    /// The part of all time in which items were run; nil without any time.
    public var workingRatio: Double? { ratios?.working }

    /// What part of all time each activity took; nil without any time.
    public var ratios: Ratios? {
      let whole = all.reduce(0.0) { $0 + Double($1.nanoseconds) }
      guard whole > 0 else { return nil }
      let parts = all.map { Double($0.nanoseconds) / whole }
      return Ratios(startUp: parts[0], setUp: parts[1], waiting: parts[2], working: parts[3], tearDown: parts[4])
    }

    static let activityCount = 5

    /// In the order of a worker's life.
    var all: [Seconds] { [startUpTime, setUpTime, waitingTime, workingTime, tearDownTime] }

    init() {}

    /// - Parameter nanoseconds: in that order.
    init(_ nanoseconds: [Double]) {
      let times = nanoseconds.map { Seconds(nanoseconds: UInt64($0.rounded())) }
      (startUpTime, setUpTime, waitingTime, workingTime, tearDownTime) = (
        times[0], times[1], times[2], times[3], times[4]
      )
    }
  }

  /// Parts of the time, from 0 to 1, which add up to 1.
  public struct Ratios: Sendable, Hashable, Codable {
    /// Until workers were there.
    public var startUp: Double
    /// In set-ups.
    public var setUp: Double
    /// With nothing to do, or on the way.
    public var waiting: Double
    /// In items.
    public var working: Double
    /// In tear-downs.
    public var tearDown: Double
  }

  /// Workers that took the place of another.
  public struct Restarts: Sendable, Hashable, Codable {
    /// It had reached its ``MapOptions/Lifespan``, or the pool wanted another in its place.
    public var lifespan = 0
    /// It had died.
    public var crash = 0
    /// It had taken too long, and was ended.
    public var timeout = 0
    /// Anything else.
    public var other = 0
    /// All of them.
    public var total: Int { lifespan + crash + timeout + other }
  }

  /// How long single items took. Items that travelled in one chunk count with their mean, so of small items these are means of chunks.
  public struct ItemTimes: Sendable, Hashable, Codable {
    /// How many were measured.
    public var count = 0
    var meanTime = Seconds()
    var deviationTime = Seconds()
    var p50Time = Seconds()
    var p90Time = Seconds()
    var p99Time = Seconds()

    enum CodingKeys: String, CodingKey {
      case count
      case meanTime = "mean"
      case deviationTime = "deviation"
      case p50Time = "p50"
      case p90Time = "p90"
      case p99Time = "p99"
    }

    /// Their mean.
    public var mean: Duration { meanTime.duration }
    /// Their standard deviation.
    public var deviation: Duration { deviationTime.duration }
    /// Half of them took no longer, to three percent.
    public var p50: Duration { p50Time.duration }
    /// Nine of ten took no longer.
    public var p90: Duration { p90Time.duration }
    /// 99 of a hundred took no longer.
    public var p99: Duration { p99Time.duration }
  }

  /// An item that took long.
  public struct LongestItem: Sendable, Hashable, Codable {
    /// Its index in its map's input, or those of the chunk whose items took so long in the mean.
    public var indices: Range<Int>
    /// Its map: the first of the pool is 1. Submissions count too.
    public var map: Int
    /// Where it ran.
    public var slot: Int
    /// The item itself, as `"\(item)"` has it, or the first of the chunk: 200 characters at the most. Nil in a pipeline.
    public var input: String?
    var time = Seconds()

    static let longestInput = 200

    enum CodingKeys: String, CodingKey {
      case indices, map, slot, input
      case time = "elapsed"
    }

    /// How long it took.
    public var elapsed: Duration { time.duration }
  }

  /// All slots together.
  public var total: Slot {
    var total = Slot()
    for slot in slots { total.add(slot) }
    return total
  }

  /// What part of all slots' time each activity took; nil without any time. It is in the encoded value too.
  public var ratios: Ratios? { total.times.ratios }

  /// The mean of the slots' times, activity by activity. It is in the encoded value too.
  public var mean: Times { Times(columns.map { $0.mean }) }

  /// The standard deviation of the slots' times, activity by activity: how unevenly the work was spread. It is in the encoded value too.
  public var deviation: Times { Times(columns.map { $0.deviation }) }

  /// Of each activity, how long it took slot by slot, in nanoseconds.
  private var columns: [Column] {
    (0..<Times.activityCount).map { activity in Column(values: slots.map { Double($0.times.all[activity].nanoseconds) })
    }
  }

  private struct Column {
    var values: [Double]
    var mean: Double { values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count) }
    var deviation: Double {
      let mean = mean
      return values.isEmpty
        ? 0 : (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()
    }
  }

  /// Nothing was recorded.
  public var isEmpty: Bool { slots.isEmpty }
}

/// A time, which is a number of seconds when it is encoded.
struct Seconds: Sendable, Hashable, Codable {
  var nanoseconds: UInt64 = 0

  init(nanoseconds: UInt64 = 0) { self.nanoseconds = nanoseconds }

  init(from decoder: any Decoder) throws {
    let seconds = try decoder.singleValueContainer().decode(Double.self)
    nanoseconds = seconds > 0 && seconds < 1.8e10 ? UInt64((seconds * 1e9).rounded()) : 0
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(Double(nanoseconds) / 1e9)
  }

  var duration: Duration { .nanoseconds(nanoseconds) }

  static func += (left: inout Seconds, right: UInt64) { left.nanoseconds += right }
}

extension Insights.Slot {
  fileprivate mutating func add(_ other: Insights.Slot) {
    items += other.items
    failed += other.failed
    retried += other.retried
    chunks += other.chunks
    times.startUpTime += other.times.startUpTime.nanoseconds
    times.setUpTime += other.times.setUpTime.nanoseconds
    times.waitingTime += other.times.waitingTime.nanoseconds
    times.workingTime += other.times.workingTime.nanoseconds
    times.tearDownTime += other.times.tearDownTime.nanoseconds
    restarts.lifespan += other.restarts.lifespan
    restarts.crash += other.restarts.crash
    restarts.timeout += other.restarts.timeout
    restarts.other += other.restarts.other
    crashes += other.crashes
    if let bytes = other.bytesIn { bytesIn = (bytesIn ?? 0) + bytes }
    if let bytes = other.bytesOut { bytesOut = (bytesOut ?? 0) + bytes }
    if let memory = other.peakMemory { peakMemory = max(peakMemory ?? 0, memory) }
  }
}
