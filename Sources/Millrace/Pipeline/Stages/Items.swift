/// A sequence as the source of a pipeline.
package struct Items<S: Sequence & Sendable>: Source where S.Element: Sendable {
  private let items: S

  package init(_ items: S) { self.items = items }

  package func produce(_ out: Outlet<S.Element>) async throws {
    for item in items { try await out.put(item) }
  }
}
