public import CMillrace

/// What a worker is doing.
package enum LaneState: UInt32, Sendable {
  /// Nothing: no item is to blame if it dies now.
  case idle = 0
  case settingUp = 1

  /// In a chunk; the item after the completed ones is running, or about to.
  case running = 2
  case tearingDown = 3
}

/// The worker's mark of what it is doing, which outlives it.
///
/// About a nanosecond an item, without the time.
///
/// The order of its stores is its meaning, for a parent that reads them at any moment, or after a death at any moment:
/// the chunk changes only while the state is `idle`, so `running` always goes with its own chunk and count; a start time is
/// withdrawn before the count moves on and noted after it, so a time never belongs to an earlier item than the count.
@usableFromInline
package struct LaneMarker: ~Copyable, @unchecked Sendable {
  private let lane: Lane
  @usableFromInline let words: MarkerWords
  @usableFromInline var isTiming = false
  @usableFromInline var completed: UInt32 = 0
  private var heartbeat: UInt64 = 0

  init(_ lane: Lane) {
    self.lane = lane
    words = lane.markerWords
  }

  /// Notes another state, with the time if the lane is timed.
  ///
  /// A chunk's response must be committed before it is left.
  package mutating func enter(_ state: LaneState) {
    isTiming = lane.isTiming
    heartbeat &+= 1
    millrace_store_release_u64(words.heartbeat, heartbeat)
    millrace_store_release_u64(words.itemStart, isTiming && state != .idle ? MonotonicTime.now : 0)
    millrace_store_release_u32(words.state, state.rawValue)
  }

  /// Notes that a chunk begins, with none of its items completed.
  package mutating func beginChunk(_ number: UInt64) {
    isTiming = lane.isTiming
    heartbeat &+= 1
    millrace_store_release_u32(words.state, LaneState.idle.rawValue)
    millrace_store_release_u64(words.itemStart, 0)
    millrace_store_release_u64(words.heartbeat, heartbeat)
    millrace_store_release_u64(words.chunk, number)
    completed = 0
    millrace_store_release_u32(words.completed, 0)
    millrace_store_release_u32(words.state, LaneState.running.rawValue)
  }

  /// Notes the time at which the next item begins, if the lane is timed.
  @inlinable
  package func beginItem() {
    if isTiming { millrace_store_release_u64(words.itemStart, MonotonicTime.now) }
  }

  /// Notes that the running item is completed.
  ///
  /// Its output must be published by then: what is counted is not run again.
  @inlinable
  package mutating func finishItem() {
    if isTiming { millrace_store_release_u64(words.itemStart, 0) }
    completed &+= 1
    millrace_store_release_u32(words.completed, completed)
  }
}

/// What the marker said at one moment.
package struct LaneSnapshot: Equatable, Sendable {
  /// Nil if the worker wrote something that is no state.
  package var state: LaneState?

  /// The chunk that is running; 0 in other states.
  package var chunk: UInt64

  /// How many items of it are completed, which is also the offset of the item that runs; 0 in other states.
  package var completed: UInt32

  /// When that item (or set-up, or tear-down) began, if the lane is timed and it has begun.
  package var itemStart: UInt64?

  /// Grows with every chunk and every change of state.
  package var heartbeat: UInt64

  package init(state: LaneState?, chunk: UInt64, completed: UInt32, itemStart: UInt64?, heartbeat: UInt64) {
    self.state = state
    self.chunk = chunk
    self.completed = completed
    self.itemStart = itemStart
    self.heartbeat = heartbeat
  }
}

@usableFromInline
struct MarkerWords {
  @usableFromInline let state: UnsafeMutablePointer<UInt32>
  @usableFromInline let completed: UnsafeMutablePointer<UInt32>
  @usableFromInline let chunk: UnsafeMutablePointer<UInt64>
  @usableFromInline let itemStart: UnsafeMutablePointer<UInt64>
  @usableFromInline let heartbeat: UnsafeMutablePointer<UInt64>

  private func read() -> LaneSnapshot {
    let state = millrace_load_acquire_u32(state)
    let chunk = millrace_load_acquire_u64(chunk)
    let completed = millrace_load_acquire_u32(completed)
    let start = millrace_load_acquire_u64(itemStart)
    let heartbeat = millrace_load_acquire_u64(heartbeat)
    var snapshot = LaneSnapshot(
      state: LaneState(rawValue: state), chunk: 0, completed: 0, itemStart: nil, heartbeat: heartbeat)
    // In between, the other words are on their way from one chunk to the next.
    if snapshot.state != .idle, start != 0 { snapshot.itemStart = start }
    if snapshot.state == .running {
      snapshot.chunk = chunk
      snapshot.completed = completed
    }
    return snapshot
  }

  /// A snapshot of which all parts belong together.
  ///
  /// Two equal readings in a row are one: chunk, count and heartbeat never come back to a value that they had. A worker that
  /// moves on faster than it can be read has no item that runs for long, so its start time is left out.
  func snapshot() -> LaneSnapshot {
    var last = read()
    for _ in 0..<16 {
      let again = read()
      if again == last { return again }
      last = again
    }
    last.itemStart = nil
    return last
  }
}

extension Lane {
  var markerWords: MarkerWords {
    MarkerWords(
      state: word(LaneLayout.markerOffset), completed: word(LaneLayout.markerOffset + 4),
      chunk: word(LaneLayout.markerOffset + 8), itemStart: word(LaneLayout.markerOffset + 16),
      heartbeat: word(LaneLayout.markerOffset + 24))
  }

  /// What the worker is doing, or was when it died.
  package func snapshot() -> LaneSnapshot { markerWords.snapshot() }
}
