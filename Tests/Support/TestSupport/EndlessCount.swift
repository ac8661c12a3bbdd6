package import Millrace

/// Puts 0, 1, … until nobody wants more, and says how many.
package struct EndlessCount: Source {
  /// How many were taken.
  package let made = CommonCounter()

  package init() {}

  package func produce(_ out: Outlet<Int>) async throws {
    var next = 0
    while true {
      try await out.put(next)
      made.increment()
      next += 1
    }
  }
}
