#if Observability
import Metrics

/// The counters, gauges and timers of a pool. Their handlers are a user's: with no lock of ours held.
struct PoolInstruments: Sendable {
  private let read: Counter
  private let items: [PoolNews.Outcome: Counter]
  private let retried: Counter
  private let timedOut: Counter
  private let maps: [PoolNews.MapEnd: Counter]
  private let crashes: Counter
  private let restarts: [PoolNews.Cause: Counter]
  private let joins: Counter
  private let leaves: [PoolNews.Leave: Counter]
  private let lateResults: Counter
  private let bytesSent: Counter
  private let bytesReceived: Counter
  private let itemDuration: Timer
  private let chunkDuration: Timer
  private let setUpDuration: Timer
  private let startDuration: Timer
  private let memory: Recorder
  private let slots: Gauge
  private let busySlots: Gauge
  private let members: Gauge
  private let memberSlots: Gauge
  private let runningMaps: Gauge
  private let waitingItems: Gauge
  private let runningItems: Gauge

  init(_ pool: String, _ factory: any MetricsFactory) {
    func dimensions(_ more: (String, String)? = nil) -> [(String, String)] {
      [("pool", pool)] + (more.map { [$0] } ?? [])
    }
    func counter(_ label: String, _ more: (String, String)? = nil) -> Counter {
      Counter(label: label, dimensions: dimensions(more), factory: factory)
    }
    func counters<Key: RawRepresentable<String> & CaseIterable & Hashable>(
      _ label: String, _ name: String, of type: Key.Type = Key.self
    ) -> [Key: Counter] {
      Dictionary(uniqueKeysWithValues: Key.allCases.map { ($0, counter(label, (name, $0.rawValue))) })
    }
    func timer(_ label: String) -> Timer { Timer(label: label, dimensions: dimensions(), factory: factory) }
    func gauge(_ label: String) -> Gauge { Gauge(label: label, dimensions: dimensions(), factory: factory) }
    read = counter("millrace.items.read")
    items = counters("millrace.items", "outcome")
    retried = counter("millrace.items.retried")
    timedOut = counter("millrace.items.timed_out")
    maps = counters("millrace.maps", "end")
    crashes = counter("millrace.workers.crashed")
    restarts = counters("millrace.workers.restarted", "cause")
    joins = counter("millrace.members.joined")
    leaves = counters("millrace.members.left", "how")
    lateResults = counter("millrace.results.late")
    bytesSent = counter("millrace.bytes.sent")
    bytesReceived = counter("millrace.bytes.received")
    itemDuration = timer("millrace.item.duration")
    chunkDuration = timer("millrace.chunk.duration")
    setUpDuration = timer("millrace.worker.set_up.duration")
    startDuration = timer("millrace.worker.start.duration")
    memory = Recorder(
      label: "millrace.worker.memory", dimensions: dimensions(), aggregate: true, factory: factory)
    slots = gauge("millrace.slots")
    busySlots = gauge("millrace.slots.busy")
    members = gauge("millrace.members")
    memberSlots = gauge("millrace.members.slots")
    runningMaps = gauge("millrace.maps.running")
    waitingItems = gauge("millrace.items.waiting")
    runningItems = gauge("millrace.items.running")
  }

  func tell(_ news: PoolNews) {
    func add(_ count: Int, to counter: Counter?) { if count > 0 { counter?.increment(by: count) } }
    add(news.read, to: read)
    for (outcome, count) in news.items { add(count, to: items[outcome]) }
    add(news.retried, to: retried)
    add(news.timedOut, to: timedOut)
    for (end, count) in news.maps { add(count, to: maps[end]) }
    add(news.crashes, to: crashes)
    for (cause, count) in news.restarts { add(count, to: restarts[cause]) }
    add(news.joins, to: joins)
    for (how, count) in news.leaves { add(count, to: leaves[how]) }
    add(news.lateResults, to: lateResults)
    add(news.bytesSent, to: bytesSent)
    add(news.bytesReceived, to: bytesReceived)
    for run in news.chunks {
      chunkDuration.recordNanoseconds(Int64(clamping: run.nanoseconds))
      itemDuration.recordNanoseconds(Int64(clamping: run.nanoseconds / UInt64(run.items)))
    }
    for time in news.setUps { setUpDuration.recordNanoseconds(Int64(clamping: time)) }
    for time in news.startUps { startDuration.recordNanoseconds(Int64(clamping: time)) }
    for bytes in news.memory { memory.record(bytes) }
  }

  /// Sets the gauges; those only that stand elsewhere.
  func tell(_ levels: PoolLevels, after before: PoolLevels?) {
    func set(_ gauge: Gauge, _ level: KeyPath<PoolLevels, Int>) {
      if before?[keyPath: level] != levels[keyPath: level] { gauge.record(levels[keyPath: level]) }
    }
    set(slots, \.slots)
    set(busySlots, \.busySlots)
    set(members, \.members)
    set(memberSlots, \.memberSlots)
    set(runningMaps, \.maps)
    set(waitingItems, \.waitingItems)
    set(runningItems, \.runningItems)
  }
}
#endif
