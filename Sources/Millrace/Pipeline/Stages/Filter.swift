/// A stage whose items do not depend on each other: it may run in all slots at once.
package protocol ElasticStage<Input, Output>: Stage where State == Void {}

/// Keeps the items that a closure says.
package struct Filter<Item: Sendable>: ElasticStage {
  private let isKept: @Sendable (Item) async throws -> Bool

  package init(_ isKept: @escaping @Sendable (Item) async throws -> Bool) { self.isKept = isKept }

  package func process(_ item: Item, state: inout Void, _ out: Outlet<Item>) async throws {
    if try await isKept(item) { try await out.put(item) }
  }
}
