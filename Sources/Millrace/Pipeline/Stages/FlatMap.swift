/// A stage that may make several of one.
protocol ManyResults {}

extension FlatMap: ManyResults {}

/// Turns each item into none, one or several.
public struct FlatMap<Input: Sendable, Results: Sequence & Sendable>: Stage where Results.Element: Sendable {
  @usableFromInline let body: @Sendable (Input) async throws -> Results
  @usableFromInline let loop: @Sendable (inout _PutsRun<Input, Results.Element>) async -> _RunEnd

  /// Makes of each item what the closure says.
  @inlinable
  public init(_ body: @escaping @Sendable (Input) async throws -> Results) {
    self.body = body
    loop = { run in
      while run._begin() {
        do {
          for result in try await body(run._item) { run._put(result) }
          run._advance()
        } catch {
          return .threw(error)
        }
      }
      return .finished
    }
  }

  /// Puts each result.
  public func process(_ item: Input, state: inout Void, _ out: Outlet<Results.Element>) async throws {
    for result in try await body(item) { try await out.put(result) }
  }
}

extension FlatMap: ElasticStage {
  package func run(_ run: inout _PutsRun<Input, Results.Element>) async -> _RunEnd { await loop(&run) }
}
