import MillraceIPC
import Synchronization

/// Items that go through the stages of a station together, where that costs less than one by one, and where nobody has to be told
/// from their neighbours by what a dead worker leaves behind.
final class ItemGroup {
  /// How many there may be.
  static let most = 256
  /// How long they may take together: so long may the first of them wait for the last.
  private static let span: UInt64 = 20_000

  let count: Int
  /// What failed, in the order of the items.
  private(set) var faults: [(place: Int, error: StageFault)] = []

  init(count: Int) { self.count = count }

  func fail(_ place: Int, _ error: StageFault) {
    let at = faults.firstIndex { $0.place > place } ?? faults.endIndex
    faults.insert((place, error), at: at)
  }

  /// The items that are well, between those that failed.
  var runs: [Range<Int>] {
    var (runs, from): ([Range<Int>], Int) = ([], 0)
    for fault in faults {
      if fault.place > from { runs.append(from..<fault.place) }
      from = fault.place + 1
    }
    if from < count { runs.append(from..<count) }
    return runs
  }

  /// How many there should be, after so many took so long.
  static func size(after count: Int, took elapsed: UInt64) -> Int {
    let each = max(1, elapsed / UInt64(count))
    return max(1, min(most, 4 * count, Int(span / each)))
  }
}

/// Takes items through stages in groups.
final class GroupedRun<Input: Sendable, Item: Sendable> {
  private let head: Link<Input>
  private let last: LastLink<Item>
  private let ahead: UnsafePointer<Atomic<UInt64>>
  private var size = 1
  /// A group of which an item has failed: what is left of it, behind that item.
  private var rest: (group: ItemGroup, done: Int, next: Int, inputs: UnsafePointer<Input>)?

  init(_ head: Link<Input>, _ last: LastLink<Item>, _ position: ItemPosition) {
    self.head = head
    self.last = last
    ahead = position.ahead
  }

  func run(_ run: inout _ItemRun<Input, Item>) async -> _RunEnd {
    if let rest {
      self.rest = nil
      // The run may be another one meanwhile: then nobody wants these any more.
      if rest.inputs == run.inputs, rest.next == run.next, let end = settle(rest.group, from: rest.done, &run) {
        return end
      }
      last.drop()
    }
    while run._begin() {
      let count = run.claim(size)
      guard count > 0 else { return .abandoned }
      let begun = _monotonicNow()
      let group = ItemGroup(count: count)
      last.target = run.outputs + run.next
      // The inputs are the chunk's, and stay there.
      await head.take(UnsafeMutablePointer(mutating: run.inputs + run.next), owned: false, group)
      ahead.pointee.store(0, ordering: .relaxed)
      size = ItemGroup.size(after: count, took: _monotonicNow() &- begun)
      if let end = settle(group, from: 0, &run) { return end }
    }
    return .finished
  }

  /// Hands over what came of the group's items, as far as the next that has failed.
  private func settle(_ group: ItemGroup, from done: Int, _ run: inout _ItemRun<Input, Item>) -> _RunEnd? {
    if group.faults.isEmpty {
      guard run.settle(group.count) else {
        (run.outputs + run.next).deinitialize(count: group.count)
        return .abandoned
      }
      return nil
    }
    let fault = group.faults.first { $0.place >= done }
    let end = fault?.place ?? group.count
    last.hand(done..<end, to: run.outputs + run.next)
    // One that has failed is still at hand.
    guard run.settle(end - done, stillClaimed: group.count - end) else {
      (run.outputs + run.next).deinitialize(count: end - done)
      last.drop()
      return .abandoned
    }
    guard let fault else { return nil }
    rest = (group, end + 1, run.next + 1, run.inputs)
    return .threw(fault.error)
  }
}
