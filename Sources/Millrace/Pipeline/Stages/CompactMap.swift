/// Turns each item into another, or into none where the closure says nil.
public struct CompactMap<Input: Sendable, Output: Sendable>: Stage {
  private let body: @Sendable (Input) async throws -> Output?

  /// Makes of each item what the closure says, if that is something.
  public init(_ body: @escaping @Sendable (Input) async throws -> Output?) { self.body = body }

  /// Puts what is made of the item, if it is something.
  public func process(_ item: Input, state: inout Void, _ out: Outlet<Output>) async throws {
    if let output = try await body(item) { try await out.put(output) }
  }
}

extension CompactMap: ElasticStage {}
