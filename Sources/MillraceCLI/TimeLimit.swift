#if CLI
/// How long a job may run (`--timeout`): a time, or a percentage of the median of the jobs that succeeded.
enum TimeLimit: Equatable, Sendable {
  case nanoseconds(UInt64)
  case percentOfMedian(Double)

  /// Reads seconds (`10`, `1.5`), units (`90s`, `2m`, `1.5h`, `1d`, also together: `1h30m`) or `200%`.
  static func parse(_ text: String) throws -> TimeLimit {
    let refusal = UsageError(
      "--timeout '\(Shown.text(text))' is neither a time above 0, as in 10, 1.5 or 2m, nor a percentage")
    if text.hasSuffix("%") {
      guard let percent = Double(text.dropLast()), percent > 0, percent.isFinite else { throw refusal }
      return .percentOfMedian(percent)
    }
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
    var seconds = 0.0
    var number = ""
    for character in text {
      if let unit = units[character] {
        guard let value = plainNumber(number) else { throw refusal }
        seconds += value * unit
        number = ""
      } else {
        number.append(character)
      }
    }
    if !number.isEmpty {
      guard let value = plainNumber(number) else { throw refusal }
      seconds += value
    }
    guard seconds > 0, seconds * 1e9 < longest else { throw refusal }
    return .nanoseconds(UInt64(seconds * 1e9))
  }

  /// A decimal number without sign, exponent or names.
  private static func plainNumber(_ text: String) -> Double? {
    text.allSatisfy { $0 == "." || ("0"..."9").contains($0) } ? Double(text) : nil
  }

  /// In nanoseconds, some thirty years: moments stay within their numbers.
  private static let longest = 1e18

  /// Jobs that must have succeeded before a median says anything.
  static let fewestForMedian = 3

  /// The limit in nanoseconds, given the runtimes so far; nil while there is none.
  func limit(_ runtimes: RunningMedian) -> UInt64? {
    switch self {
    case .nanoseconds(let limit): limit
    case .percentOfMedian(let percent):
      runtimes.count < Self.fewestForMedian
        ? nil : runtimes.median.map { UInt64(min(Double($0) * percent / 100, Self.longest)) }
    }
  }
}

/// The median of any number of values in bounded memory: exact below `width` values, then the remedian of Rousseeuw and
/// Bassett, a median of medians.
struct RunningMedian: Equatable, Sendable {
  private let width = 999
  private(set) var count = 0
  /// Sorted values; when full, its median moves to the next level.
  private var levels: [[UInt64]] = [[]]

  mutating func add(_ value: UInt64) {
    count += 1
    insert(value, level: 0)
  }

  var median: UInt64? {
    guard let values = levels.last(where: { !$0.isEmpty }) else { return nil }
    return values[values.count / 2]
  }

  private mutating func insert(_ value: UInt64, level: Int) {
    if level == levels.count { levels.append([]) }
    var low = 0
    var high = levels[level].count
    while low < high {
      let middle = (low + high) / 2
      if levels[level][middle] < value { low = middle + 1 } else { high = middle }
    }
    levels[level].insert(value, at: low)
    if levels[level].count == width {
      let middle = levels[level][width / 2]
      levels[level].removeAll(keepingCapacity: true)
      insert(middle, level: level + 1)
    }
  }
}
#endif
