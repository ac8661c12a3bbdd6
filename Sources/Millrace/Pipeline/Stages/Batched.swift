/// Collects so many items, of whatever type, as an array; what is left comes at the end.
public struct Batched: Sendable, Hashable {
  /// How many make a batch.
  public let size: Int

  /// Batches of so many, 1 at least.
  public init(_ size: Int = 64) { self.size = max(1, size) }
}

/// ``Batched`` for items of a type.
package struct Batches<Item: Sendable>: Stage {
  let size: Int

  package func setUp(_ context: StageContext, _ out: Outlet<[Item]>) -> [Item] { [] }

  package func process(_ item: Item, state batch: inout [Item], _ out: Outlet<[Item]>) async throws {
    batch.append(item)
    guard batch.count == size else { return }
    let whole = batch
    batch = []
    try await out.put(whole)
  }

  package func tearDown(_ batch: consuming [Item], _ out: Outlet<[Item]>) async throws {
    if !batch.isEmpty { try await out.put(batch) }
  }
}
