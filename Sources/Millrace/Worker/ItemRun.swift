import MillraceIPC
public import Synchronization

// Names that begin with an underscore are public only because inlined code needs them: they are no promise, and may change or go with
// any release. All of them stand in this file, but for the requirement `Worker._run`.

/// How a run over the items of a chunk ended.
public enum _RunEnd {
  /// Every item has been run.
  case finished
  /// The current item threw.
  case threw(any Error)
  /// Nobody waits for the items that are left; the current item's output was dropped.
  case abandoned
}

/// The place of a run: which items, where the outputs go, how far it is.
///
/// The progress word is shared with those who watch the worker. It counts the items that are done, beside a tag that does not
/// change during the run; its highest bit says that the run is abandoned,
/// and the next that the current item is its last. All change by compare-and-swap only, so an item is either done in time or given up, never
/// both. The memory it points to is owned by the slot and outlives the run.
@frozen
public struct _ItemRun<Input, Output> {
  @usableFromInline package var inputs: UnsafePointer<Input>
  @usableFromInline package var outputs: UnsafeMutablePointer<Output>
  @usableFromInline package var end: Int
  @usableFromInline package var next: Int
  @usableFromInline let progress: UnsafePointer<Atomic<UInt64>>
  /// What the progress word holds besides: which chunk, or how many items are claimed at once (`claim`).
  @usableFromInline package var tag: UInt64
  @usableFromInline let startTime: UnsafePointer<Atomic<UInt64>>?
  /// Where outputs go that cannot be left in place: called with each output and its offset.
  @usableFromInline let sink: ((Int, Output) throws -> Void)?
  /// Asked for more when the items are used up: small chunks that lie in the ring already are run in one go.
  @usableFromInline let goOn: ((inout _ItemRun) -> Bool)?
  /// Why the sink did not take the current item's output.
  package var sinkError: (any Error)?
  /// What was behind its last item was given to others.
  package private(set) var isCut = false
  /// How many items, from the current one on, are under way together, as the progress word says it; 0: one by one.
  private var claimed = 0

  @usableFromInline
  package init(
    inputs: UnsafePointer<Input>, outputs: UnsafeMutablePointer<Output>, range: Range<Int>,
    progress: UnsafePointer<Atomic<UInt64>>, tag: UInt64 = 0, startTime: UnsafePointer<Atomic<UInt64>>?,
    sink: ((Int, Output) throws -> Void)? = nil, goOn: ((inout _ItemRun) -> Bool)? = nil
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.end = range.upperBound
    self.next = range.lowerBound
    self.progress = progress
    self.tag = tag
    self.startTime = startTime
    self.sink = sink
    self.goOn = goOn
  }

  /// The current item.
  @inlinable public var _item: Input { inputs[next] }

  /// Whether there is a current item; marks it as begun.
  @inlinable
  public mutating func _begin() -> Bool {
    guard next < end || goesOn() else { return false }
    if let startTime { startTime.pointee.store(_monotonicNow(), ordering: .relaxed) }
    return true
  }

  @usableFromInline
  mutating func goesOn() -> Bool { isCut ? false : goOn?(&self) ?? false }

  /// The current item has an output: false if the run was abandoned before it.
  @inlinable
  public mutating func _finish(_ output: consuming Output) -> Bool {
    if sink != nil { return finishBySink(output) }
    (outputs + next).initialize(to: output)
    guard _advance() else {
      (outputs + next).deinitialize(count: 1)
      return false
    }
    return true
  }

  @usableFromInline
  mutating func finishBySink(_ output: Output) -> Bool {
    do {
      try sink!(next, output)
    } catch {
      sinkError = error
      return false
    }
    return _advance()
  }

  /// The current item is done: false if the run was abandoned before it.
  @inlinable
  public mutating func _advance() -> Bool {
    let done = tag | UInt64(truncatingIfNeeded: next)
    guard
      progress.pointee.compareExchange(expected: done, desired: done &+ 1, ordering: .acquiringAndReleasing).exchanged
    else { return advanceAsLast() }
    next &+= 1
    return true
  }

  /// The current item is done, and what was behind it was given to others meanwhile: false if the run was abandoned.
  @usableFromInline
  mutating func advanceAsLast() -> Bool {
    let done = tag | UInt64(truncatingIfNeeded: next)
    guard
      progress.pointee.compareExchange(
        expected: done | LaneLayout.last, desired: (done | LaneLayout.last) &+ 1, ordering: .acquiringAndReleasing
      ).exchanged
    else { return false }
    cut(at: next)
    next &+= 1
    return true
  }

  /// What is behind the item, and what is claimed with it, was given to others.
  private mutating func cut(at item: Int) {
    if isCut { return }
    end = item + max(1, claimed)
    isCut = true
  }

  // MARK: Several items at once

  // In a lane of this process the word has room for how many items, from the first that is not done on, are under way together: none of
  // them is given to others, for it has been begun.

  /// Whether outputs lie in place, and nobody watches how long an item takes.
  package var isPlain: Bool { sink == nil && startTime == nil && goOn == nil }

  /// The next items, so many, are begun together. How many they are: fewer where something was given to others meanwhile; 0 if
  /// the run was abandoned.
  package mutating func claim(_ count: Int) -> Int {
    precondition(count <= ItemClaim.most)
    guard move(by: 0, claiming: min(count, end - next)) else { return 0 }
    return min(count, end - next)
  }

  /// So many of the claimed items have outputs, and so many others are still claimed. False if the run was abandoned before.
  package mutating func settle(_ count: Int, stillClaimed: Int = 0) -> Bool { move(by: count, claiming: stillClaimed) }

  private mutating func move(by count: Int, claiming: Int) -> Bool {
    let claim = UInt64(truncatingIfNeeded: claiming) << ItemClaim.shift
    let (here, there) = (UInt64(truncatingIfNeeded: next), UInt64(truncatingIfNeeded: next + count))
    for last in [0, LaneLayout.last] {
      let (exchanged, _) = progress.pointee.compareExchange(
        expected: tag | here | last, desired: claim | there | last, ordering: .acquiringAndReleasing)
      guard exchanged else { continue }
      if last != 0 { cut(at: next) }
      (tag, claimed) = (claim, claiming)
      next += count
      return true
    }
    return false
  }
}

/// The place of a run over items of which each may come to none or several: what they come to lies closely, each beside the place of
/// its item.
///
/// The memory for outputs grows as they do, and belongs to whoever made the run.
@frozen
public struct _PutsRun<Input, Output> {
  @usableFromInline package var inputs: UnsafePointer<Input>
  /// Of each input the place of the item that it comes from.
  @usableFromInline package var places: UnsafePointer<Int32>
  @usableFromInline package var next = 0
  @usableFromInline package var end = 0
  @usableFromInline package var outputs: UnsafeMutablePointer<Output>
  /// The same of each output.
  @usableFromInline package var origins: UnsafeMutablePointer<Int32>
  @usableFromInline package var count = 0
  @usableFromInline package var capacity: Int
  /// Where the place of the current item stands, for those who ask which it is.
  @usableFromInline let progress: UnsafePointer<Atomic<UInt64>>

  /// With room for so many outputs.
  package init(
    inputs: UnsafePointer<Input>, places: UnsafePointer<Int32>, capacity: Int, progress: UnsafePointer<Atomic<UInt64>>
  ) {
    (self.inputs, self.places, self.capacity, self.progress) = (inputs, places, capacity, progress)
    outputs = .allocate(capacity: capacity)
    origins = .allocate(capacity: capacity)
  }

  /// The current item.
  @inlinable public var _item: Input { inputs[next] }

  /// Whether there is a current item; says which it is.
  @inlinable
  public mutating func _begin() -> Bool {
    guard next < end else { return false }
    progress.pointee.store(UInt64(truncatingIfNeeded: places[next]), ordering: .relaxed)
    return true
  }

  /// An output of the current item.
  @inlinable
  public mutating func _put(_ output: consuming Output) {
    if count == capacity { grow() }
    (outputs + count).initialize(to: output)
    (origins + count).initialize(to: places[next])
    count &+= 1
  }

  /// The current item is done.
  @inlinable public mutating func _advance() { next &+= 1 }

  @usableFromInline
  mutating func grow() {
    let (old, from) = (outputs, origins)
    outputs = .allocate(capacity: 2 * capacity)
    origins = .allocate(capacity: 2 * capacity)
    outputs.moveInitialize(from: old, count: count)
    origins.moveInitialize(from: from, count: count)
    old.deallocate()
    from.deallocate()
    capacity *= 2
  }

  /// The current item has failed: what it has put does not count.
  package mutating func dropCurrent() {
    while count > 0, origins[count - 1] == places[next] {
      count -= 1
      (outputs + count).deinitialize(count: 1)
    }
  }
}

/// How many items of a run are under way together, as its progress word says it.
enum ItemClaim {
  static let shift: UInt64 = 40
  static let most = 1 << 10 - 1
}

extension Worker {
  /// The loop over the items of a chunk.
  ///
  /// Always inlined: the compiler forgets of a specialised copy that it stays on its caller's executor, and goes back there
  /// after each `process`, even one that is not asynchronous. That takes 60 ns an item.
  @inlinable
  @inline(__always)
  public func _run(_ run: inout _ItemRun<Input, Output>, _ state: inout State) async -> _RunEnd {
    while run._begin() {
      do {
        let output = try await process(run._item, state: &state)
        guard run._finish(output) else { return .abandoned }
      } catch {
        return .threw(error)
      }
    }
    return .finished
  }
}

/// The bit of a progress word that says that the run is abandoned.
package let abandonedBit = LaneLayout.abandoned

extension UnsafePointer<Atomic<UInt64>> {
  /// Abandons the run that this is the progress of; how many of its items were done.
  package func abandon() -> Int {
    Int(pointee.bitwiseOr(abandonedBit, ordering: .acquiringAndReleasing).oldValue & LaneLayout.completed)
  }

  /// Makes the current item of a run over so many the last, or the last of those that are claimed with it; its offset, or nil if nothing is behind it.
  package func makeLast(of count: Int) -> Int? {
    var word = pointee.load(ordering: .acquiring)
    while word & (abandonedBit | LaneLayout.last) == 0 {
      // What is claimed with it was begun with it.
      let last = Int(word & LaneLayout.completed) + max(1, Int(word >> ItemClaim.shift)) - 1
      guard last + 1 < count else { return nil }
      let (exchanged, original) = pointee.compareExchange(
        expected: word, desired: word | LaneLayout.last, ordering: .acquiringAndReleasing)
      if exchanged { return last }
      word = original
    }
    return nil
  }
}
