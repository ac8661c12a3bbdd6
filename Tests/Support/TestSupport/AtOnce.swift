/// Tries several things, a few at a time: for tests that wait for other programs, and need little of the CPUs themselves.
///
/// What fails says by itself which of them it is.
package func atOnce<Item: Sendable>(
  _ items: [Item], _ width: Int = 3, _ body: @escaping @Sendable (Item) async throws -> Void
) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for (index, item) in items.enumerated() {
      if index >= width { try await group.next() }
      group.addTask { try await body(item) }
    }
    try await group.waitForAll()
  }
}
