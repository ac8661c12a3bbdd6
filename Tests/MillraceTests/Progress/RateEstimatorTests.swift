import Millrace
import Testing

@Suite("Progress: the rate")
struct RateEstimatorTests {
  private static let second: UInt64 = 1_000_000_000

  @Test("the first look counts in full; before it there is no rate")
  func first() {
    var estimator = RateEstimator(at: 5 * Self.second)
    #expect(estimator.rate(at: 6 * Self.second) == nil)
    estimator.record(0, at: 6 * Self.second)
    #expect(estimator.rate(at: 6 * Self.second) == nil)
    estimator.record(20, at: 7 * Self.second)
    #expect(abs(estimator.rate(at: 7 * Self.second)! - 10) < 1e-9)
  }

  @Test("items that come in bursts are as many a second as those that do not")
  func bursts() {
    var estimator = RateEstimator(at: 0)
    var rates: [Double] = []
    for tick in 1...600 as ClosedRange<UInt64> {
      // A chunk of 100 every second, looked at ten times a second.
      estimator.record(Int(tick / 10) * 100, at: tick * Self.second / 10)
      if tick > 200 { rates.append(estimator.rate(at: tick * Self.second / 10)!) }
    }
    #expect(rates.allSatisfy { (85...115).contains($0) }, "\(rates.min()!) to \(rates.max()!)")
  }

  @Test("it sinks while nothing comes, and follows when it goes faster")
  func changes() {
    var estimator = RateEstimator(at: 0)
    for second in 1...30 as ClosedRange<UInt64> { estimator.record(Int(second) * 10, at: second * Self.second) }
    let rates = [30, 40, 60, 120].map { estimator.rate(at: UInt64($0) * Self.second)! }
    #expect(zip(rates, rates.dropFirst()).allSatisfy { $0 > $1 && $1 > 0 })
    #expect(rates[3] < 0.01 * rates[0])
    for second in 31...90 as ClosedRange<UInt64> {
      estimator.record(300 + Int(second - 30) * 40, at: second * Self.second)
    }
    #expect(abs(estimator.rate(at: 90 * Self.second)! - 40) < 1)
  }

  @Test("what was there before is no part of it: right after a resume it is the rate of this run")
  func resumed() {
    var estimator = RateEstimator(at: 0, count: 1_000_000)
    estimator.record(1_000_005, at: Self.second)
    #expect(abs(estimator.rate(at: Self.second)! - 5) < 1e-9)
    // Fewer than before: somebody has begun anew.
    estimator.record(0, at: 2 * Self.second)
    #expect(estimator.rate(at: 2 * Self.second) == nil)
    estimator.record(7, at: 3 * Self.second)
    #expect(abs(estimator.rate(at: 3 * Self.second)! - 7) < 1e-9)
  }

  @Test("the time for which the program stood still is no time in which nothing was finished")
  func standstill() {
    var estimator = RateEstimator(at: 0)
    estimator.record(10, at: Self.second)
    estimator.standstill(3_600 * Self.second)
    #expect(abs(estimator.rate(at: 3_601 * Self.second)! - 10) < 1e-9)
    estimator.record(20, at: 3_602 * Self.second)
    #expect(abs(estimator.rate(at: 3_602 * Self.second)! - 10) < 1e-9)
  }
}
