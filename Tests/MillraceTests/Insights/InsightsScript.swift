import Millrace

/// What happens to the slots of a pool that there is not, each in its own time.
struct InsightsScript {
  private(set) var fold: InsightsFold
  private(set) var times: [UInt64] = []
  private var generations: [Int] = []
  private var chunks = 0
  private var items = 0
  private let key = WorkerKey(1)

  init(slotsAreQueuePlaces: Bool = false) {
    fold = InsightsFold(PoolSnapshot(time: 0, width: 0), slotsAreQueuePlaces: slotsAreQueuePlaces)
  }

  /// A slot with a worker that takes so long to start and to be set up, in seconds.
  mutating func open(startUp: Double = 0, setUp: Double = 0) -> Int {
    let slot = times.count
    times.append(0)
    generations.append(0)
    tell(slot, .slotOpened(slot: slot, level: 0))
    start(slot, replaces: false, startUp: startUp, setUp: setUp)
    return slot
  }

  mutating func start(_ slot: Int, replaces: Bool, startUp: Double = 0, setUp: Double = 0) {
    generations[slot] += 1
    tell(slot, .workerStarting(slot: slot, generation: generations[slot], replaces: replaces))
    pass(slot, startUp)
    tell(slot, .workerStarted(slot: slot, generation: generations[slot]))
    guard setUp > 0 else { return }
    tell(slot, .setUpBegan(slot: slot, generation: generations[slot], key))
    pass(slot, setUp)
    tell(slot, .setUpEnded(slot: slot, generation: generations[slot], key))
  }

  mutating func pass(_ slot: Int, _ seconds: Double) { times[slot] += UInt64((seconds * 1e9).rounded()) }

  /// A chunk that takes so long, in seconds.
  mutating func work(_ slot: Int, items count: Int = 1, _ seconds: Double) {
    give(slot, items: count)
    pass(slot, seconds)
    tell(
      slot,
      .chunkFinished(
        slot: slot, JobID(1), chunk: chunks, items: count, elapsed: UInt64((seconds * 1e9).rounded()),
        bytes: ChunkBytes(sent: 100, received: 40), memory: 5_000_000,
        inputs: InputCell<Int>(base: items - count, items: [(items - count) * 10])))
    tell(slot, .itemsDone(JobID(1), items: items - count..<items, slot: slot, attempt: 1))
  }

  mutating func give(_ slot: Int, items count: Int = 1) {
    chunks += 1
    let range = items..<items + count
    items += count
    tell(
      slot,
      .chunkGiven(
        slot: slot, generation: generations[slot], JobID(1), chunk: chunks, items: range, size: count, attempt: 1))
  }

  mutating func tearDown(_ slot: Int, _ seconds: Double) {
    tell(slot, .tearDownBegan(slot: slot, generation: generations[slot], key))
    pass(slot, seconds)
    tell(slot, .tearDownEnded(slot: slot, generation: generations[slot], key))
    end(slot, .ended)
  }

  mutating func end(_ slot: Int, _ cause: WorkerDeparture.Cause) {
    tell(
      slot,
      .workerEnded(
        slot: slot, generation: generations[slot], WorkerDeparture(cause: cause, activity: .working, endingTime: 0)))
  }

  mutating func tell(_ slot: Int, _ event: DispatchEvent) { fold.apply(event, at: times[slot]) }

  var end: UInt64 { times.max() ?? 0 }
  var insights: Insights { fold.insights(at: end) }
  var timeline: Timeline { fold.timeline(at: end) }
}
