#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// How long items took, in bounded memory: counts in buckets that are three percent wide, from a nanosecond to centuries.
package struct DurationHistogram: Sendable, Hashable {
  /// Of each power of two there are so many buckets.
  private static let steps = 32
  private static let bits = 5

  private var buckets: [Int: Int] = [:]
  package private(set) var count = 0
  private var sum = 0.0
  private var squares = 0.0

  package init() {}

  /// So many items took so many nanoseconds each.
  package mutating func add(_ nanoseconds: UInt64, count: Int = 1) {
    guard count > 0 else { return }
    buckets[Self.bucket(nanoseconds), default: 0] += count
    self.count += count
    sum += Double(nanoseconds) * Double(count)
    squares += Double(nanoseconds) * Double(nanoseconds) * Double(count)
  }

  /// Nanoseconds; nil without any item.
  package var mean: Double? { count > 0 ? sum / Double(count) : nil }

  /// Of all of them, not of a sample.
  package var deviation: Double? {
    mean.map { max(0, squares / Double(count) - $0 * $0).squareRoot() }
  }

  /// What so large a part of the items did not exceed, in nanoseconds, to three percent.
  package func quantile(_ part: Double) -> Double? {
    guard count > 0 else { return nil }
    let rank = max(1, Int((part * Double(count)).rounded(.up)))
    var seen = 0
    for (bucket, count) in buckets.sorted(by: { $0.key < $1.key }) {
      seen += count
      if seen >= rank { return Self.middle(of: bucket) }
    }
    return nil
  }

  private static func bucket(_ value: UInt64) -> Int {
    guard value >= steps else { return Int(value) }
    let exponent = 63 - value.leadingZeroBitCount
    let mantissa = Int(value >> UInt64(exponent - bits)) - steps
    return (exponent - bits + 1) * steps + mantissa
  }

  private static func middle(of bucket: Int) -> Double {
    guard bucket >= steps else { return Double(bucket) }
    let exponent = bucket / steps - 1
    return (Double(steps + bucket % steps) + 0.5) * pow(2, Double(exponent))
  }
}
