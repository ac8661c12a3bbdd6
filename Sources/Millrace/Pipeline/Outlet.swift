/// Where a stage puts what it makes.
public struct Outlet<Item: Sendable>: Sendable {
  /// How an item goes on with its meta.
  private struct Tags: Sendable {
    let accept: @Sendable (Item, Meta) async throws -> Void
    let meta: Meta
  }
  private let accept: @Sendable (Item) async throws -> Void
  private let stopping: @Sendable () -> Void
  private let tags: Tags?

  /// - Parameters:
  ///   - accept: takes an item; a source's waits for room.
  ///   - stop: the stage wants no more input.
  package init(_ accept: @escaping @Sendable (Item) async throws -> Void, stop: @escaping @Sendable () -> Void) {
    self.accept = accept
    stopping = stop
    tags = nil
  }

  /// For items that have meta.
  ///
  /// - Parameter meta: that of the item at hand.
  init(
    meta: Meta, _ accept: @escaping @Sendable (Item, Meta) async throws -> Void, stop: @escaping @Sendable () -> Void
  ) {
    self.accept = { try await accept($0, meta) }
    stopping = stop
    tags = Tags(accept: accept, meta: meta)
  }

  /// Hands an item on, with the meta of the item at hand. A source's waits for room; when it returns, the item is in the run, and goes through.
  ///
  /// - Throws: `CancellationError` where the item is not taken: nobody wants more, the source has returned, or the stage has, of which it
  ///   was to be what it puts.
  public func put(_ item: Item) async throws { try await accept(item) }

  /// Hands an item on, with the meta of the item at hand, changed.
  ///
  /// - Throws: an ``InvalidOption`` where no stage of the pipeline says that it sets meta (`setsMeta`).
  public func put(_ item: Item, _ change: (inout Meta) throws -> Void) async throws {
    var meta = meta
    try change(&meta)
    try await put(item, meta: meta)
  }

  /// Hands an item on, with this meta: for a stage that keeps items, and what was ``meta`` with each.
  ///
  /// - Throws: an ``InvalidOption`` where no stage of the pipeline says that it sets meta (`setsMeta`).
  public func put(_ item: Item, meta: Meta) async throws {
    if let tags { return try await tags.accept(item, meta) }
    guard meta.isEmpty else {
      throw InvalidOption(name: "setsMeta", value: false, allowed: "true for a source or a stage that puts meta")
    }
    try await accept(item)
  }

  /// That of the item at hand: nothing in sources, set-ups and tear-downs, and where no stage sets any.
  public var meta: Meta { tags?.meta ?? Meta() }

  /// Whether items have meta here.
  public var carriesMeta: Bool { tags != nil }

  /// Wants no more input: what was put is kept, and whatever feeds only this stage is cancelled.
  public func stop() { stopping() }
}
