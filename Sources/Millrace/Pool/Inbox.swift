import MillraceIPC
public import Synchronization

/// What was read of an input and not handed on yet.
///
/// ```
///   reader ──fill──▶ cell ──take──▶ whoever steps the dispatcher
///              word: how many are in the cell, and whether somebody waits for the next
/// ```
///
/// The reader goes on to fill the cell while others take what is there, so that nothing that has come waits for what comes
/// after it. A word tells both sides all that they have to know in one access: what is put in after somebody has found nothing is
/// seen to be waited for.
@usableFromInline
package final class Inbox<Input: Sendable>: @unchecked Sendable {
  // Sound: `storage`, `count`, `room` and `limit` are the reader's, of which there is one at a time. What is in `state` is
  // shared, under its lock, and the items of its cell as far as the word says.
  private struct State {
    var cell: InputCell<Input>
    /// How many of the cell's items were handed on.
    var taken = 0
  }

  /// Why the reader puts no more in.
  @usableFromInline
  package enum Pause {
    /// There is no room in the cell.
    case full
    /// Somebody waits for what is there, or for the reader to leave.
    case called
    case ended
  }

  // The word: flags, and above them the number of items in the cell.
  @usableFromInline static var awaited: Int { 1 }
  @usableFromInline static var left: Int { 2 }
  @usableFromInline static var one: Int { 4 }

  /// So many items get room before any has come.
  private static var modest: Int { 4_096 }

  private let state: Lock<State>
  @usableFromInline let word = Atomic<Int>(0)
  /// Whether others take while the reader reads.
  @usableFromInline let isShared: Bool
  /// The cell in `state`: only the reader exchanges it.
  @exclusivity(unchecked) private var cell: InputCell<Input>
  @exclusivity(unchecked) @usableFromInline var storage: UnsafeMutablePointer<Input>
  /// How many items are in the cell, and how many have room there.
  @exclusivity(unchecked) @usableFromInline var count = 0
  @exclusivity(unchecked) @usableFromInline var room = 0
  /// How many may be read in all, counted from the cell's first item.
  @exclusivity(unchecked) @usableFromInline var limit = 0

  private let origin: ItemOrigin

  init(isShared: Bool, origin: ItemOrigin = ItemOrigin()) {
    self.isShared = isShared
    self.origin = origin
    cell = InputCell(base: 0, capacity: 0)
    storage = cell.storage
    state = Lock(State(cell: cell))
  }

  // MARK: The reader

  /// Begins a read of so many items. What was read before has been taken.
  func begin(_ count: Int) {
    KillPoint.parentReads.reach()
    // As many as came last time have room at once.
    exchange(room: max(Self.modest, self.count), demand: count)
  }

  /// Whether the read that was begun is answered.
  @inlinable var isComplete: Bool { count == limit }

  /// Makes room for more of the read.
  @usableFromInline
  func grow() { exchange(room: 2 * room, demand: nil) }

  /// Goes on in another cell, with what nobody has taken yet, and room for at most so many: in the read that was begun, or a
  /// new one.
  private func exchange(room most: Int, demand: Int?) {
    // The old cell is let go of behind the lock: it may be the last to refer to the user's objects.
    let old = cell
    state.withLock { state in
      let (taken, rest) = (state.taken, count - state.taken)
      limit = demand ?? limit - taken
      room = min(limit, most)
      cell = InputCell(base: old.base + taken, capacity: room)
      cell.origin = origin
      storage = cell.storage
      storage.moveInitialize(from: old.storage + taken, count: rest)
      (old.count, cell.count, count) = (taken, rest, rest)
      (state.cell, state.taken) = (cell, 0)
      word.wrappingSubtract(Self.one * taken, ordering: .relaxed)
    }
  }

  /// Takes items from `next` until there is no more room, or somebody calls.
  @inlinable
  package func fill(_ next: () -> Input?) -> Pause {
    isShared ? fillShared(next) : fillAlone(next)
  }

  @inlinable
  func fillShared(_ next: () -> Input?) -> Pause {
    let (storage, room) = (storage, room)
    var count = count
    defer { settle(count) }
    while count < room {
      guard let item = next() else { return .ended }
      (storage + count).initialize(to: item)
      count &+= 1
      if word.wrappingAdd(Self.one, ordering: .acquiringAndReleasing).oldValue & (Self.one - 1) != 0 { return .called }
    }
    return .full
  }

  @inlinable
  func fillAlone(_ next: () -> Input?) -> Pause {
    let (storage, room, before) = (storage, room, count)
    var count = before
    defer {
      word.wrappingAdd(Self.one * (count - before), ordering: .releasing)
      settle(count)
    }
    while count < room {
      guard let item = next() else { return .ended }
      (storage + count).initialize(to: item)
      count &+= 1
    }
    return .full
  }

  /// As `fillAlone`, from where the rest of the input lies; and how many it has taken.
  func fillAlone(from items: UnsafeBufferPointer<Input>) -> (count: Int, pause: Pause) {
    let taken = min(items.count, room - count)
    if let start = items.baseAddress { (storage + count).initialize(from: start, count: taken) }
    word.wrappingAdd(Self.one * taken, ordering: .releasing)
    settle(count + taken)
    return (taken, count < room ? .ended : .full)
  }

  /// Puts one item of the read in; whether that was the last, or somebody calls.
  @inlinable
  func put(_ item: Input) -> Bool {
    if count == room { grow() }
    (storage + count).initialize(to: item)
    settle(count &+ 1)
    let before = word.wrappingAdd(Self.one, ordering: .acquiringAndReleasing).oldValue
    return before & (Self.one - 1) != 0 || isComplete
  }

  /// As `put`; nil, and it is nobody's, if the reader was told to leave: what is put in before that is taken by whoever tells it.
  func putUnlessLeft(_ item: Input) -> Bool? {
    if count == room { grow() }
    (storage + count).initialize(to: item)
    settle(count &+ 1)
    var before = word.load(ordering: .relaxed)
    while before & Self.left == 0 {
      let (isIn, found) = word.weakCompareExchange(
        expected: before, desired: before &+ Self.one, ordering: .acquiringAndReleasing)
      if isIn { return before & (Self.one - 1) != 0 || isComplete }
      before = found
    }
    settle(count &- 1)
    (storage + count).deinitialize(count: 1)
    return nil
  }

  /// The cell has so many items, says the reader.
  @usableFromInline
  func settle(_ count: Int) {
    self.count = count
    cell.count = count
  }

  /// Whether the reader is to put no more in, ever.
  var isLeft: Bool { word.load(ordering: .acquiring) & Self.left != 0 }

  // MARK: The others

  /// Takes what is there; called by whoever steps the dispatcher, under the pool's lock, so that the items come to it in their
  /// order.
  func take() -> Batch {
    state.withLock { state in
      word.bitwiseAnd(~Self.awaited, ordering: .relaxed)
      return take(&state, word.load(ordering: .acquiring))
    }
  }

  /// As `take`; if there is nothing, the reader is called by the next item.
  func takeOrCall() -> Batch? {
    state.withLock { state in
      let batch = take(&state, word.load(ordering: .acquiring))
      if batch.count > 0 { return batch }
      let later = take(&state, word.bitwiseOr(Self.awaited, ordering: .acquiringAndReleasing).oldValue)
      guard later.count > 0 else { return nil }
      word.bitwiseAnd(~Self.awaited, ordering: .relaxed)
      return later
    }
  }

  private func take(_ state: inout State, _ word: Int) -> Batch {
    let taken = state.taken
    state.taken = word / Self.one
    return Batch(count: state.taken - taken, cell: state.cell)
  }

  /// Takes what is there, and tells the reader to leave.
  func takeRest() -> Batch {
    leave()
    return take()
  }

  /// Calls the reader by the next item, whatever there is.
  func call() { word.bitwiseOr(Self.awaited, ordering: .relaxed) }

  /// Tells the reader to leave.
  func leave() { word.bitwiseOr(Self.left, ordering: .acquiringAndReleasing) }
}
