/// Where a stage puts what it makes.
public struct Outlet<Item: Sendable>: Sendable {
  private let accept: @Sendable (Item) async throws -> Void
  private let stopping: @Sendable () -> Void

  /// - Parameters:
  ///   - accept: takes an item; a source's waits for room.
  ///   - stop: the stage wants no more input.
  package init(_ accept: @escaping @Sendable (Item) async throws -> Void, stop: @escaping @Sendable () -> Void) {
    self.accept = accept
    stopping = stop
  }

  /// Hands an item on.
  public func put(_ item: Item) async throws { try await accept(item) }

  /// Wants no more input: what was put is kept, and whatever feeds only this stage is cancelled.
  public func stop() { stopping() }
}
