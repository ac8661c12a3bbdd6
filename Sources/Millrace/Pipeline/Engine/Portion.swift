import MillraceIPC

/// What stages have put for an item: so many of what they have put for it and its neighbours, which lies together. It does not leave the
/// program.
package struct Portion: Sendable {
  var items: OutputStore?
  var start = 0
  var count = 0
}

/// Behind the last stage, where each item may come to none or several.
final class PortionLink<Item: Sendable>: Link<Item>, GroupEnd, @unchecked Sendable {
  /// Of one item that goes alone.
  private var puts: [Item] = []
  /// Of a group: what came of it, of each the place of its item, and how many of them were handed over.
  private var made: OutputBuffer<Item>?
  private var places: [Int32] = []
  private var next = 0

  func begin(at target: UnsafeMutablePointer<Portion>) { drop() }

  override func take(_ items: UnsafeMutablePointer<Item>, owned: Bool, _ group: ItemGroup) async {
    let runs = group.runs
    let made = OutputBuffer<Item>(base: 0, capacity: runs.reduce(0) { $0 + $1.count })
    var count = 0
    for well in runs {
      (made.storage + count).moveInitialize(from: items + well.lowerBound, count: well.count)
      places += UnsafeBufferPointer(start: group.places + well.lowerBound, count: well.count)
      count += well.count
    }
    made.settle(0..<count)
    self.made = made
  }

  func handAll(_ count: Int, to place: UnsafeMutablePointer<Portion>) {
    hand(0..<count, to: place)
    drop()
  }

  func hand(_ items: Range<Int>, to place: UnsafeMutablePointer<Portion>) {
    let made: OutputStore? = made
    for item in items {
      let start = next
      while next < places.count, places[next] == item { next += 1 }
      let portion = next == start ? Portion() : Portion(items: made, start: start, count: next - start)
      (place + (item - items.lowerBound)).initialize(to: portion)
    }
  }

  func drop() {
    made = nil
    places.removeAll(keepingCapacity: places.capacity <= 4 * ItemGroup.most)
    next = 0
  }

  override func feed(_ item: Item) async throws { puts.append(item) }

  func take() -> Portion {
    defer { puts = [] }
    return puts.isEmpty ? Portion() : Portion(items: OutputBuffer(puts), count: puts.count)
  }
}
