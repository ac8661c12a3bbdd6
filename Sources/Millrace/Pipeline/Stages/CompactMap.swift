/// Turns each item into another, or into none where the closure says nil.
public struct CompactMap<Input: Sendable, Output: Sendable>: Stage {
  @usableFromInline let body: @Sendable (Input) async throws -> Output?
  @usableFromInline let loop: @Sendable (inout _PutsRun<Input, Output>) async -> _RunEnd

  /// Makes of each item what the closure says, if that is something.
  @inlinable
  public init(_ body: @escaping @Sendable (Input) async throws -> Output?) {
    self.body = body
    loop = { run in
      while run._begin() {
        do {
          if let output = try await body(run._item) { run._put(output) }
          run._advance()
        } catch {
          return .threw(error)
        }
      }
      return .finished
    }
  }

  /// Puts what is made of the item, if it is something.
  public func process(_ item: Input, state: inout Void, _ out: Outlet<Output>) async throws {
    if let output = try await body(item) { try await out.put(output) }
  }
}

extension CompactMap: ElasticStage {
  package func run(_ run: inout _PutsRun<Input, Output>) async -> _RunEnd { await loop(&run) }
}
