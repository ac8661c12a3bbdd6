import MillraceIPC

/// A pool's events, folded into insights. A pure state machine: events and their times go in, a value comes out at any moment.
///
/// What a slot is at is known from the ``PoolSnapshot`` that goes along. Between two events a slot's time belongs to what it was at. Whether a
/// worker that has work is in it or waits for it to arrive only the worker knows: it says so with each chunk that it has finished.
package struct InsightsFold: Sendable {
  private struct SlotFold: Sendable {
    var insight = Insights.Slot()
    /// Up to when its time has been counted.
    var since: UInt64
    /// Time in which it had a worker that was neither set up nor torn down.
    var up: UInt64 = 0
    /// Of that, in items.
    var run: UInt64 = 0
    /// When its first chunk may have begun.
    var runSince: UInt64
    /// How its last worker went.
    var departure: Departure?
  }
  private enum Departure { case lifespan, crash, timeout, other }

  private var pool: PoolSnapshot
  private let began: UInt64
  private let slotsAreQueuePlaces: Bool
  private var slots: [SlotFold] = []
  private var histogram = DurationHistogram()
  private var longest: [Insights.LongestItem] = []
  /// The inputs of the longest, one for each.
  private var inputs: [(any Sendable)?] = []
  package private(set) var timeline: Timeline

  package init(_ pool: PoolSnapshot, slotsAreQueuePlaces: Bool = false) {
    self.pool = pool
    self.slotsAreQueuePlaces = slotsAreQueuePlaces
    began = pool.time
    timeline = Timeline(from: pool.time)
    for number in pool.slots.indices { open(number, at: pool.time) }
  }

  private mutating func open(_ slot: Int, at time: UInt64) {
    while slots.count <= slot {
      var fold = SlotFold(since: time, runSince: time)
      fold.insight.slot = slots.count
      slots.append(fold)
    }
  }

  // MARK: Events

  package mutating func apply(_ event: DispatchEvent, at time: UInt64) {
    if case .slotOpened(let slot, _) = event { open(slot, at: time) }
    if let slot = event.slot, slots.indices.contains(slot), pool.slots.indices.contains(slot) {
      pass(slot, until: time)
      note(event, slot, time)
    }
    if case .poolStopped = event { for slot in slots.indices { pass(slot, until: time) } }
    pool.apply(event, at: time)
  }

  /// The slot's time up to now belongs to what it was at.
  private mutating func pass(_ slot: Int, until time: UInt64) {
    guard time > slots[slot].since, pool.slots.indices.contains(slot) else { return }
    let start = slots[slot].since
    let passed = time - start
    slots[slot].since = time
    guard let activity = Timeline.Activity(pool.slots[slot].state) else { return }
    timeline.add(activity, slot: slot, from: start, to: time)
    switch activity {
    case .startUp: slots[slot].insight.times.startUpTime += passed
    case .setUp: slots[slot].insight.times.setUpTime += passed
    case .tearDown: slots[slot].insight.times.tearDownTime += passed
    case .waiting, .working: slots[slot].up += passed
    }
  }

  private mutating func note(_ event: DispatchEvent, _ slot: Int, _ time: UInt64) {
    switch event {
    case .workerStarting(_, _, let replaces):
      guard replaces else { return }
      timeline.mark(.restart, slot: slot, at: time)
      switch slots[slot].departure {
      case .lifespan: slots[slot].insight.restarts.lifespan += 1
      case .crash: slots[slot].insight.restarts.crash += 1
      case .timeout: slots[slot].insight.restarts.timeout += 1
      case .other, nil: slots[slot].insight.restarts.other += 1
      }
      slots[slot].departure = nil
    case .workerStopping(_, _, let isReplaced): slots[slot].departure = isReplaced ? .lifespan : .other
    case .workerKilled: interrupt(slot, time)
    case .workerEnded(_, _, let departure):
      interrupt(slot, time)
      switch departure.cause {
      case .ended: break
      case .endedWithAnother: slots[slot].departure = .other
      case .died:
        slots[slot].departure = .crash
        slots[slot].insight.crashes += 1
        timeline.mark(.crash, slot: slot, at: time)
      case .killed(let reason), .givenUp(let reason):
        slots[slot].departure = reason.isTimeout ? .timeout : .other
        if reason.isTimeout { timeline.mark(.timeout, slot: slot, at: time) }
      }
    case .chunkGiven:
      if pool.slots[slot].work.isEmpty { slots[slot].runSince = time }
    case .chunkFinished(_, let job, let chunk, let items, let elapsed, let bytes, let memory, let inputs):
      slots[slot].insight.chunks += 1
      slots[slot].run += elapsed
      slots[slot].runSince = time
      if let bytes {
        slots[slot].insight.bytesIn = (slots[slot].insight.bytesIn ?? 0) + bytes.sent
        slots[slot].insight.bytesOut = (slots[slot].insight.bytesOut ?? 0) + bytes.received
      }
      if let memory { slots[slot].insight.peakMemory = max(slots[slot].insight.peakMemory ?? 0, memory) }
      finished(items, elapsed, job, chunk, slot, inputs)
    // What was known before no slot has run.
    case .itemsDone(_, _, _, attempt: 0): break
    case .itemFailed(_, let failure) where failure.attempt == 0: break
    case .itemsDone(_, let items, _, _): slots[slot].insight.items += items.count
    case .itemFailed: slots[slot].insight.failed += 1
    case .itemRetried: slots[slot].insight.retried += 1
    default: break
    }
  }

  /// The worker goes in the middle of what it was at.
  private mutating func interrupt(_ slot: Int, _ time: UInt64) {
    guard pool.slots[slot].state == .working, time > slots[slot].runSince else { return }
    slots[slot].run += time - slots[slot].runSince
    slots[slot].runSince = time
  }

  private mutating func finished(
    _ items: Int, _ elapsed: UInt64, _ job: JobID, _ chunk: Int, _ slot: Int, _ store: any AnyObject & Sendable
  ) {
    guard items > 0 else { return }
    let each = elapsed / UInt64(items)
    histogram.add(each, count: items)
    guard longest.count < 5 || each > longest[4].time.nanoseconds else { return }
    // Told before its outcomes are, so what the slot has of it is still all of it, but for what was told before.
    guard let held = pool.slots[slot].work.first(where: { $0.chunk == chunk && $0.job == job })?.items else { return }
    let indices = held.lowerBound..<min(held.lowerBound + items, held.upperBound)
    guard !indices.isEmpty else { return }
    let item = Insights.LongestItem(
      indices: indices, map: job.value, slot: slot, time: Seconds(nanoseconds: each))
    let place = longest.firstIndex { $0.time.nanoseconds < each } ?? longest.count
    longest.insert(item, at: place)
    inputs.insert((store as? InputStore)?.item(at: indices.lowerBound), at: place)
    if longest.count > 5 {
      longest.removeLast()
      // What is a user's is not let go of under the recorder's lock.
      Unlocked.release(inputs.removeLast())
    }
  }

  // MARK: The value

  package func insights(at now: UInt64) -> Insights {
    var copy = self
    let end = pool.hasStopped ? pool.time : max(now, pool.time)
    for slot in slots.indices { copy.pass(slot, until: end) }
    var insights = Insights()
    insights.elapsedTime = Seconds(nanoseconds: end - began)
    insights.slotsAreQueuePlaces = slotsAreQueuePlaces
    insights.longest = longest
    Unlocked.expect("an item's description")
    for (place, input) in inputs.enumerated() {
      insights.longest[place].input = input.map { BriefText.of($0, most: Insights.LongestItem.longestInput) }
    }
    insights.slots = copy.slots.enumerated().map { number, fold in
      var slot = fold.insight
      var run = fold.run
      if pool.slots.indices.contains(number), pool.slots[number].state == .working, end > fold.runSince {
        run += end - fold.runSince
      }
      run = min(run, fold.up)
      slot.times.workingTime = Seconds(nanoseconds: run)
      slot.times.waitingTime = Seconds(nanoseconds: fold.up - run)
      return slot
    }
    insights.items.count = histogram.count
    func time(_ value: Double?) -> Seconds { Seconds(nanoseconds: UInt64(value ?? 0)) }
    insights.items.meanTime = time(histogram.mean)
    insights.items.deviationTime = time(histogram.deviation)
    insights.items.p50Time = time(histogram.quantile(0.5))
    insights.items.p90Time = time(histogram.quantile(0.9))
    insights.items.p99Time = time(histogram.quantile(0.99))
    return insights
  }

  /// The timeline up to now.
  package func timeline(at now: UInt64) -> Timeline {
    var copy = self
    let end = pool.hasStopped ? pool.time : max(now, pool.time)
    for slot in slots.indices { copy.pass(slot, until: end) }
    copy.timeline.end = end
    return copy.timeline
  }
}

extension KillReason {
  fileprivate var isTimeout: Bool {
    switch self {
    case .timedOut, .setUpTimedOut, .tearDownTimedOut, .silent, .endingTimedOut, .startTimedOut: true
    case .abandoned, .terminated: false
    }
  }
}

extension DispatchEvent {
  /// The slot of which it tells.
  fileprivate var slot: Int? {
    switch self {
    case .slotOpened(let slot, _), .slotClosed(let slot), .workerStarting(let slot, _, _), .workerStarted(let slot, _),
      .workerNotStarted(let slot, _, _), .workerStopping(let slot, _, _), .workerKilled(let slot, _, _),
      .workerEnded(let slot, _, _), .setUpBegan(let slot, _, _), .setUpEnded(let slot, _, _),
      .setUpFailed(let slot, _, _, _, _, _), .tearDownBegan(let slot, _, _), .tearDownEnded(let slot, _, _),
      .chunkGiven(let slot, _, _, _, _, _, _), .chunkReturned(let slot, _, _, _),
      .chunkFinished(let slot, _, _, _, _, _, _, _), .itemsDone(_, _, let slot, _),
      .itemRetried(_, _, let slot, _, _, _):
      slot
    case .itemFailed(_, let failure): failure.slot
    default: nil
    }
  }
}
