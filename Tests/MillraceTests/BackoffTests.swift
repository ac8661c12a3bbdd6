import Testing

@testable import Millrace

@Suite struct BackoffTests {
  @Test("U254: delays of which nothing is left in nanoseconds, and factors without measure")
  func extremes() throws {
    var backoff = MapOptions.Backoff.exponential(.nanoseconds(0.5), maximum: .seconds(1))
    backoff.factor = 1e300
    try backoff.validate()
    #expect(backoff.nanoseconds(beforeAttempt: 2, random: .max) <= 1)
    #expect((500_000_000...1_000_000_000).contains(backoff.nanoseconds(beforeAttempt: 3, random: .max)))
    backoff.factor = .infinity
    #expect(backoff.nanoseconds(beforeAttempt: 3, random: .max) >= 500_000_000)
    for factor in [Double.nan, 0.5] {
      backoff.factor = factor
      let error = #expect(throws: InvalidOption.self) { try backoff.validate() }
      #expect(error?.name == "retry.backoff.factor")
    }
    // It does not count up to there.
    backoff.factor = 1
    #expect(backoff.nanoseconds(beforeAttempt: .max, random: .max) <= 1)
  }
}
