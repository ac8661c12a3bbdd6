/// The first items, and no more: what feeds only this is cancelled then.
public struct Take: AnyItemStage {
  private let count: Int

  /// So many; 0 is none.
  public init(_ count: Int) { self.count = count }

  /// For items of a type.
  public func pipeline<Item: Sendable>(of type: Item.Type) -> Pipeline<Item, Item> { .stage(Takes(count: count)) }
}

/// ``Take`` for items of a type.
struct Takes<Item: Sendable>: Stage, NamedStage, CheckedStage {
  let count: Int
  var name: String { "Take" }

  func check() throws { try InvalidOption.check("Take", count, in: 0...Int.max) }

  func setUp(_ context: StageContext, _ out: Outlet<Item>) -> Int {
    if count == 0 { out.stop() }
    return 0
  }

  func process(_ item: Item, state taken: inout Int, _ out: Outlet<Item>) async throws {
    if taken == count { return }
    taken += 1
    try await out.put(item)
    if taken == count { out.stop() }
  }
}
