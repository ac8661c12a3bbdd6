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

  package struct State {
    fileprivate var items: [Item] = []
    /// That of each of the items, if they have any.
    fileprivate var metas: [Meta] = []
  }

  package func setUp(_ context: StageContext, _ out: Outlet<[Item]>) -> State { State() }

  package func process(_ item: Item, state batch: inout State, _ out: Outlet<[Item]>) async throws {
    batch.items.append(item)
    if out.carriesMeta { batch.metas.append(out.meta) }
    guard batch.items.count == size else { return }
    let whole = batch
    batch = State()
    try await out.put(whole.items, meta: Meta(parts: whole.metas))
  }

  package func tearDown(_ batch: consuming State, _ out: Outlet<[Item]>) async throws {
    if !batch.items.isEmpty { try await out.put(batch.items, meta: Meta(parts: batch.metas)) }
  }
}
