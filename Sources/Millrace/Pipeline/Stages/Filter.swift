/// A stage whose items do not depend on each other: it may run in all slots at once.
package protocol ElasticStage<Input, Output>: Stage where State == Void {}

/// Keeps the items that a closure says.
public struct Filter<Item: Sendable>: Stage {
  private let isKept: @Sendable (Item) async throws -> Bool

  /// Keeps those for which the closure is true.
  public init(_ isKept: @escaping @Sendable (Item) async throws -> Bool) { self.isKept = isKept }

  /// Puts the item, or does not.
  public func process(_ item: Item, state: inout Void, _ out: Outlet<Item>) async throws {
    if try await isKept(item) { try await out.put(item) }
  }
}

extension Filter: ElasticStage {}
