/// Sorts items that are nearly in order: each may be so many places away from its own.
///
/// It keeps as many items as the window says, and hands on the first of them in order; the rest at the end. An item that comes later than
/// that stands where it comes. Equal ones stay in the order of the input.
public struct Sort<Item: Sendable>: Stage {
  let window: Int
  private let isBefore: @Sendable (Item, Item) throws -> Bool

  /// Sorts among so many items at a time, by what is to stand before what.
  public init(within window: Int, by isBefore: @escaping @Sendable (Item, Item) throws -> Bool) {
    self.window = window
    self.isBefore = isBefore
  }

  /// The items that are kept, the last in order first, each with its meta.
  public struct State {
    fileprivate var kept: [(item: Item, meta: Meta)] = []
  }

  /// None kept.
  public func setUp(_ context: StageContext, _ out: Outlet<Item>) -> State { State() }

  /// Puts the item among those that are kept, and the first of them out, if there are too many.
  public func process(_ item: Item, state: inout State, _ out: Outlet<Item>) async throws {
    var (low, high) = (0, state.kept.count)
    while low < high {
      let middle = (low + high) / 2
      if try isBefore(item, state.kept[middle].item) { low = middle + 1 } else { high = middle }
    }
    state.kept.insert((item, out.meta), at: low)
    if state.kept.count > window {
      let first = state.kept.removeLast()
      try await out.put(first.item, meta: first.meta)
    }
  }

  /// Puts those that are left.
  public func tearDown(_ state: consuming State, _ out: Outlet<Item>) async throws {
    for each in state.kept.reversed() { try await out.put(each.item, meta: each.meta) }
  }
}

extension Sort where Item: Comparable {
  /// Sorts among so many items at a time, the smallest first.
  public init(within window: Int) { self.init(within: window) { $0 < $1 } }
}

extension Sort: CheckedStage {
  package func check() throws { try InvalidOption.check("Sort(within:)", window, in: 0...Int.max) }
}
