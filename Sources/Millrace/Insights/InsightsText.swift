/// Times as MPIRE writes them, and shorter.
package enum InsightsText {
  /// `0:00:00`, `0:00:01.337`, `1 day, 10:17:36.789`.
  package static func format(_ duration: Duration) -> String {
    let (seconds, milliseconds) = rounded(duration)
    let days = seconds / 86_400
    let prefix = days == 0 ? "" : days == 1 ? "1 day, " : "\(days) days, "
    let text = prefix + clock(seconds % 86_400)
    return milliseconds == 0 ? text : text + "." + three(milliseconds)
  }

  /// In a column of twelve: `0:00:01.337`, `34:17:36.789`, `1234:17:36`.
  static func column(_ duration: Duration) -> String {
    let (seconds, milliseconds) = rounded(duration)
    return seconds >= 360_000 ? clock(seconds) : clock(seconds) + "." + three(milliseconds)
  }

  /// `850 ns`, `12 us`, `3.4 ms`, `5.6 s`, `0:12:34`.
  static func short(_ duration: Duration) -> String {
    let nanoseconds = Double(duration.components.seconds) * 1e9 + Double(duration.components.attoseconds) / 1e9
    for (limit, unit, name) in [(1e3, 1.0, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms"), (120e9, 1e9, "s")]
    where nanoseconds < limit {
      let value = nanoseconds / unit
      return ProgressText.decimal(value, places: value < 10 && unit > 1 ? 1 : 0) + " " + name
    }
    return clock(rounded(duration).0)
  }

  private static func rounded(_ duration: Duration) -> (seconds: Int, milliseconds: Int) {
    let (seconds, attoseconds) = duration.components
    let milliseconds = Int((Double(attoseconds) / 1e15).rounded())
    return milliseconds == 1_000 ? (Int(seconds) + 1, 0) : (max(0, Int(seconds)), max(0, milliseconds))
  }

  private static func clock(_ seconds: Int) -> String {
    "\(seconds / 3_600):\(ProgressText.two(seconds / 60 % 60)):\(ProgressText.two(seconds % 60))"
  }

  private static func three(_ number: Int) -> String {
    number < 10 ? "00\(number)" : number < 100 ? "0\(number)" : "\(number)"
  }
}
