/// A stage that may make several of one.
protocol ManyResults {}

extension FlatMap: ManyResults {}

/// Turns each item into none, one or several.
public struct FlatMap<Input: Sendable, Results: Sequence & Sendable>: Stage where Results.Element: Sendable {
  private let body: @Sendable (Input) async throws -> Results

  /// Makes of each item what the closure says.
  public init(_ body: @escaping @Sendable (Input) async throws -> Results) { self.body = body }

  /// Puts each result.
  public func process(_ item: Input, state: inout Void, _ out: Outlet<Results.Element>) async throws {
    for result in try await body(item) { try await out.put(result) }
  }
}

extension FlatMap: ElasticStage {}
