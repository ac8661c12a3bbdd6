// Numbers and times as people read them, in few characters.

enum ProgressText {
  /// `0.12`, `3.4`, `56`, `789`, `1.2k`, `34k`, `5.6M`.
  static func number(_ value: Double) -> String {
    guard value.isFinite else { return "?" }
    for (limit, divisor, suffix) in [(999.5, 1.0, ""), (999_500, 1e3, "k"), (999_500_000, 1e6, "M")]
    where value < limit {
      let scaled = value / divisor
      return decimal(scaled, places: scaled < 1 ? 2 : scaled < 10 ? 1 : 0) + suffix
    }
    return decimal(value / 1e9, places: 1) + "G"
  }

  static func decimal(_ value: Double, places: Int) -> String {
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = (value * Double(scale)).rounded()
    guard scaled.magnitude < 1e15 else { return "\(value)" }
    let whole = Int(scaled.magnitude)
    let sign = scaled < 0 ? "-" : ""
    guard places > 0 else { return sign + "\(whole)" }
    let part = "\(whole % scale)"
    return sign + "\(whole / scale)." + String(repeating: "0", count: places - part.count) + part
  }

  /// `0:03`, `12:34`, `1:02:03`, `2d 03:04:05`.
  static func clock(_ duration: Duration) -> String {
    let seconds = max(0, Int(duration.components.seconds))
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60)
    if days > 0 { return "\(days)d \(two(hours)):\(two(minutes)):\(two(seconds % 60))" }
    if hours > 0 { return "\(hours):\(two(minutes)):\(two(seconds % 60))" }
    return "\(minutes):\(two(seconds % 60))"
  }

  static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
