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
  /// How many a stage has of them: those that were left out have no place in the row.
  private(set) var width: Int
  /// Of each in the row the place of its item in the group.
  private(set) var places = ItemGroup.all
  /// Those in the row that have failed.
  private var holes: [Int] = []

  init(count: Int) { (self.count, width) = (count, count) }

  /// The places of a group of which nothing was left out.
  // Sound: written once, and read by all for ever.
  nonisolated(unsafe) private static let all: UnsafePointer<Int32> = {
    let places = UnsafeMutablePointer<Int32>.allocate(capacity: most)
    for place in 0..<most { (places + place).initialize(to: Int32(place)) }
    return UnsafePointer(places)
  }()

  /// Whether nothing was left out, so that items are in their own places.
  var isWhole: Bool { places == Self.all }

  func fail(_ position: Int, _ error: StageFault) {
    holes.insert(position, at: holes.firstIndex { $0 > position } ?? holes.endIndex)
    let place = Int(places[position])
    faults.insert((place, error), at: faults.firstIndex { $0.place > place } ?? faults.endIndex)
  }

  /// What is left, or has come of it, is a row of its own, without holes.
  func become(_ width: Int, _ places: UnsafePointer<Int32>) { (self.width, self.places, holes) = (width, places, []) }

  /// What is well of the row, between what failed.
  var runs: [Range<Int>] {
    var (runs, from): ([Range<Int>], Int) = ([], 0)
    for hole in holes {
      if hole > from { runs.append(from..<hole) }
      from = hole + 1
    }
    if from < width { runs.append(from..<width) }
    return runs
  }

  /// How many there should be, after so many took so long.
  static func size(after count: Int, took elapsed: UInt64) -> Int {
    let each = max(1, elapsed / UInt64(count))
    return max(1, min(most, 4 * count, Int(span / each)))
  }
}

/// Where what comes of groups is handed over.
protocol GroupEnd<Item, Output>: Link<Self.Item> {
  associatedtype Item: Sendable
  associatedtype Output: Sendable
  /// A group begins, the outputs of which are to lie there, if all of it is well.
  func begin(at target: UnsafeMutablePointer<Output>)
  /// Hands over what came of a group of which all is well.
  func handAll(_ count: Int, to place: UnsafeMutablePointer<Output>)
  /// Hands over what came of these items, which follow each other and are the first.
  func hand(_ items: Range<Int>, to place: UnsafeMutablePointer<Output>)
  /// Nobody wants what is left.
  func drop()
}

/// Takes items through stages in groups.
final class GroupedRun<Input: Sendable, End: GroupEnd> {
  private let head: Link<Input>
  private let last: End
  private let ahead: UnsafePointer<Atomic<UInt64>>
  private var size = 1
  /// A group of which an item has failed: what is left of it, behind that item.
  private var rest: (group: ItemGroup, done: Int, next: Int, inputs: UnsafePointer<Input>)?

  init(_ head: Link<Input>, _ last: End, _ position: ItemPosition) {
    self.head = head
    self.last = last
    ahead = position.ahead
  }

  func run(_ run: inout _ItemRun<Input, End.Output>) async -> _RunEnd {
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
      last.begin(at: run.outputs + run.next)
      // The inputs are the chunk's, and stay there.
      await head.take(UnsafeMutablePointer(mutating: run.inputs + run.next), owned: false, group)
      ahead.pointee.store(0, ordering: .relaxed)
      size = ItemGroup.size(after: count, took: _monotonicNow() &- begun)
      if let end = settle(group, from: 0, &run) { return end }
    }
    return .finished
  }

  /// Hands over what came of the group's items, as far as the next that has failed.
  private func settle(_ group: ItemGroup, from done: Int, _ run: inout _ItemRun<Input, End.Output>) -> _RunEnd? {
    if group.faults.isEmpty {
      last.handAll(group.count, to: run.outputs + run.next)
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
