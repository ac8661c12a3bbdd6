internal import CMillrace
package import Synchronization

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
/// The progress word counts the completed items of the chunk, and bears its tag. Both sides change it by compare-and-swap; its
/// highest bit says that the rest of the chunk is not wanted, and the next that the current item is its last. So an item is
/// either completed in time or given up, and either run here or given to others.
/// The order of the other stores is their meaning: the chunk changes only while the state is `idle`, so `running` always
/// goes with its own chunk.
package struct LaneMarker: ~Copyable, @unchecked Sendable {
  private let lane: Lane
  private let words: MarkerWords
  private var heartbeat: UInt64 = 0

  init(_ lane: Lane) {
    self.lane = lane
    words = lane.markerWords
  }

  /// Notes another state.
  ///
  /// A chunk's response must be committed before it is left.
  package mutating func enter(_ state: LaneState) {
    heartbeat &+= 1
    millrace_store_release_u64(words.heartbeat, heartbeat)
    millrace_store_release_u32(words.state, state.rawValue)
  }

  /// Ends a copy of this process, which does not have the lane.
  package func touch() { _ = millrace_load_acquire_u32(words.state) }

  /// Notes that a chunk begins, with none of its items completed.
  package mutating func beginChunk(_ number: UInt64) {
    enter(.idle)
    millrace_store_release_u64(words.itemStart, 0)
    millrace_store_release_u64(words.chunk, number)
    millrace_store_release_u64(words.progress, LaneLayout.tag(number))
    millrace_store_release_u32(words.state, LaneState.running.rawValue)
  }
}

/// What the marker said at one moment.
package struct LaneSnapshot: Equatable, Sendable {
  /// Nil if the worker wrote something that is no state.
  package var state: LaneState?

  /// The chunk that is running; 0 in other states.
  package var chunk: UInt64

  /// How many items of it are completed, which is also the offset of the item that runs; 0 in other states.
  package var completed: Int

  /// When that item began, if the worker notes times and it has begun.
  ///
  /// It may be the time of the item before, if the worker is just between the two: then look again.
  package var itemStart: UInt64?

  /// Grows with every chunk and every change of state.
  package var heartbeat: UInt64

  package init(state: LaneState?, chunk: UInt64, completed: Int, itemStart: UInt64?, heartbeat: UInt64) {
    self.state = state
    self.chunk = chunk
    self.completed = completed
    self.itemStart = itemStart
    self.heartbeat = heartbeat
  }
}

/// What became of the wish to take back what is behind the item that a worker is at.
package enum LaneCut: Equatable, Sendable {
  /// The item at this offset is the chunk's last.
  case at(Int)
  case nothingBehind
  /// The worker is not at this chunk.
  case notBegun
  /// It is at the very end of an item.
  case between
}

struct MarkerWords {
  let state: UnsafeMutablePointer<UInt32>
  let chunk: UnsafeMutablePointer<UInt64>
  let itemStart: UnsafeMutablePointer<UInt64>
  let heartbeat: UnsafeMutablePointer<UInt64>
  let progress: UnsafeMutablePointer<UInt64>

  private func read() -> LaneSnapshot {
    let state = millrace_load_acquire_u32(state)
    let chunk = millrace_load_acquire_u64(chunk)
    let progress = millrace_load_acquire_u64(progress)
    let start = millrace_load_acquire_u64(itemStart)
    let heartbeat = millrace_load_acquire_u64(heartbeat)
    var snapshot = LaneSnapshot(
      state: LaneState(rawValue: state), chunk: 0, completed: 0, itemStart: nil, heartbeat: heartbeat)
    // In between, the other words are on their way from one chunk to the next.
    if snapshot.state == .running {
      snapshot.chunk = chunk
      snapshot.completed = Int(truncatingIfNeeded: progress & LaneLayout.completed)
      snapshot.itemStart = start == 0 ? nil : start
    }
    return snapshot
  }

  /// A snapshot of which all parts belong together: two equal readings in a row.
  func snapshot() -> LaneSnapshot {
    var last = read()
    for _ in 0..<16 {
      let again = read()
      if again == last { return again }
      last = again
    }
    // It moves on faster than it can be read: no item of it runs for long.
    last.itemStart = nil
    return last
  }
}

extension Lane {
  var markerWords: MarkerWords {
    MarkerWords(
      state: word(LaneLayout.markerOffset), chunk: word(LaneLayout.markerOffset + 8),
      itemStart: word(LaneLayout.markerOffset + 16), heartbeat: word(LaneLayout.markerOffset + 24),
      progress: word(LaneLayout.markerOffset + 32))
  }

  /// What the worker is doing, or was when it died.
  package func snapshot() -> LaneSnapshot { markerWords.snapshot() }

  /// Says that the rest of the chunk is not wanted, if it is the one that the worker is at.
  package func abandon(chunk number: UInt64) { progress.abandon(chunk: number) }

  /// Makes the item that the worker is at the last of the chunk, which has `count`: what is behind it is the caller's then.
  ///
  /// Of `received` items the outcomes are here. A worker sends some before it counts their item, and is between two items then.
  package func cut(chunk number: UInt64, of count: Int, received: Int) -> LaneCut {
    let tag = LaneLayout.tag(number)
    var word = progress.pointee.load(ordering: .acquiring)
    while true {
      guard word & ~(LaneLayout.completed | LaneLayout.last | LaneLayout.abandoned) == tag else { return .notBegun }
      let completed = word & LaneLayout.completed
      guard word == tag | completed, completed &+ 1 < UInt64(count) else { return .nothingBehind }
      guard completed >= UInt64(received) else { return .between }
      let (isDone, found) = progress.pointee.compareExchange(
        expected: word, desired: word | LaneLayout.last, ordering: .acquiringAndReleasing)
      if isDone { return .at(Int(completed)) }
      word = found
    }
  }

  /// The count of completed items, the chunk's tag, and the bits that end the chunk; valid as long as the lane is.
  package var progress: UnsafePointer<Atomic<UInt64>> { atomic(LaneLayout.markerOffset + 32) }

  /// Where the worker notes when it began its item; valid as long as the lane is.
  package var itemStart: UnsafePointer<Atomic<UInt64>> { atomic(LaneLayout.markerOffset + 16) }

  /// Where the worker notes at which of its parts its item is, if it has several, from 1; valid as long as the lane is.
  package var part: UnsafePointer<Atomic<UInt64>> { atomic(LaneLayout.markerOffset + 48) }

  private func atomic(_ offset: Int) -> UnsafePointer<Atomic<UInt64>> {
    let place: UnsafeMutablePointer<UInt64> = word(offset)
    // An `Atomic` is nothing but its word.
    return UnsafePointer(UnsafeMutableRawPointer(place).assumingMemoryBound(to: Atomic<UInt64>.self))
  }
}

extension UnsafePointer<Atomic<UInt64>> {
  /// Says in a progress word that the rest of the chunk is not wanted, if the word is about that chunk.
  package func abandon(chunk number: UInt64) {
    let tag = LaneLayout.tag(number)
    var word = pointee.load(ordering: .acquiring)
    while word & ~(LaneLayout.completed | LaneLayout.last) == tag {
      let (isDone, found) = pointee.compareExchange(
        expected: word, desired: word | LaneLayout.abandoned, ordering: .acquiringAndReleasing)
      if isDone { return }
      word = found
    }
  }
}
