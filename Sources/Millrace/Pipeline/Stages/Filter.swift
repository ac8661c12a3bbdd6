/// A stage whose items do not depend on each other: it may run in all slots at once.
package protocol ElasticStage<Input, Output>: Stage where State == Void {
  /// Takes several items. Where a stage's type is known, so is that of the loop over them.
  func run(_ run: inout _PutsRun<Input, Output>) async -> _RunEnd
}

/// Keeps the items that a closure says.
public struct Filter<Item: Sendable>: Stage {
  @usableFromInline let isKept: @Sendable (Item) async throws -> Bool
  @usableFromInline let loop: @Sendable (inout _PutsRun<Item, Item>) async -> _RunEnd

  /// Keeps those for which the closure is true.
  @inlinable
  public init(_ isKept: @escaping @Sendable (Item) async throws -> Bool) {
    self.isKept = isKept
    loop = { run in
      while run._begin() {
        do {
          if try await isKept(run._item) { run._put(run._item) }
          run._advance()
        } catch {
          return .threw(error)
        }
      }
      return .finished
    }
  }

  /// Puts the item, or does not.
  public func process(_ item: Item, state: inout Void, _ out: Outlet<Item>) async throws {
    if try await isKept(item) { try await out.put(item) }
  }
}

extension Filter: ElasticStage {
  package func run(_ run: inout _PutsRun<Item, Item>) async -> _RunEnd { await loop(&run) }
}
