/// Turns each item into none, one or several.
package struct FlatMap<Input: Sendable, Results: Sequence & Sendable>: ElasticStage where Results.Element: Sendable {
  private let body: @Sendable (Input) async throws -> Results

  package init(_ body: @escaping @Sendable (Input) async throws -> Results) { self.body = body }

  package func process(_ item: Input, state: inout Void, _ out: Outlet<Results.Element>) async throws {
    for result in try await body(item) { try await out.put(result) }
  }
}
