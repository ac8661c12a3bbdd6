/// The same item, again and again: as often as `limit` says, or for ever.
///
/// A limit of 0 is none at all: not one item.
public struct Const<Item: Sendable>: Source {
  private let item: Item
  private let limit: Int?

  /// The item, at most so often; nil: until nobody wants more.
  public init(_ item: Item, limit: Int? = nil) {
    self.item = item
    self.limit = limit
  }

  /// Puts it.
  public func produce(_ out: Outlet<Item>) async throws {
    var left = limit ?? .max
    while left > 0 {
      try await out.put(item)
      if limit != nil { left -= 1 }
    }
  }
}

extension Const: CheckedStage {
  package func check() throws { try InvalidOption.check("Const(limit:)", limit ?? 0, in: 0...Int.max) }
}
