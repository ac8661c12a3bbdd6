#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How many items a second are finished, smoothed over time, twice.
///
/// Items come in chunks, so one look finds a thousand more and the next none. What was seen weighs less the older it is, by time and not by
/// the number of looks, and so does the average of that. Both are cleared of the zero from which they begin, so that the first look counts
/// in full. The rate sinks while nothing comes, although nobody records that.
package struct RateEstimator: Sendable {
  /// What is so many seconds old has a tenth of its weight.
  private static let memory = 15.0

  private var start: UInt64
  private var last: UInt64
  private var count: Int
  private var once = 0.0
  private var twice = 0.0

  /// - Parameter count: what was there before: it took no time of this run, and is no part of its rate.
  package init(at time: UInt64, count: Int = 0) {
    (start, last) = (time, time)
    self.count = count
  }

  /// So many are finished now. Nothing is learned where neither time nor count has moved; with fewer than before it begins anew.
  package mutating func record(_ count: Int, at time: UInt64) {
    if count < self.count {
      self = RateEstimator(at: time, count: count)
      return
    }
    guard count > self.count, time > last else { return }
    let seconds = Self.seconds(from: last, to: time)
    (once, twice) = smoothed(Double(count - self.count) / seconds, after: seconds, at: time)
    (self.count, last) = (count, time)
  }

  /// Items a second; nil as long as there was none.
  package func rate(at time: UInt64) -> Double? {
    guard last > start else { return nil }
    let idle = Self.seconds(from: last, to: max(last, time))
    let (_, twice) = idle > 0 ? smoothed(0, after: idle, at: time) : (once, twice)
    return twice / (1 - Self.weight(Self.seconds(from: start, to: max(last, time))))
  }

  /// The clock went on for so long while the program stood still: that is no time in which nothing was finished.
  package mutating func standstill(_ nanoseconds: UInt64) {
    start &+= nanoseconds
    last &+= nanoseconds
  }

  private func smoothed(_ rate: Double, after seconds: Double, at time: UInt64) -> (Double, Double) {
    let weight = Self.weight(seconds)
    let once = once * weight + rate * (1 - weight)
    let clear = once / (1 - Self.weight(Self.seconds(from: start, to: time)))
    return (once, twice * weight + clear * (1 - weight))
  }

  private static func weight(_ age: Double) -> Double { pow(0.1, age / memory) }

  private static func seconds(from start: UInt64, to end: UInt64) -> Double { Double(end - start) / 1e9 }
}
