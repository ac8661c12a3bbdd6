/// When a plain line is due, where nothing can be drawn over.
struct ProgressPace: Sendable {
  /// The longest and the shortest time between two.
  var longest: UInt64
  var shortest: UInt64 = 1_000_000_000
  private var last: UInt64?
  private var lastTenth = 0

  /// Every ten percent, at most one a second, and every five seconds at the least.
  static let lines = ProgressPace(longest: 5_000_000_000)
  /// Once a second.
  static let json = ProgressPace(longest: 1_000_000_000)

  init(longest: UInt64) { self.longest = longest }

  static func of(_ style: ProgressStyle) -> ProgressPace { if case .json = style.kind { .json } else { .lines } }

  /// Whether one is due now, and then it counts as written. The first and the last always are.
  mutating func isDue(_ state: ProgressState, at now: UInt64) -> Bool {
    let tenth = (state.percent ?? 0) / 10
    guard let last, state.phase == .running else {
      (last, lastTenth) = (now, tenth)
      return true
    }
    let age = now > last ? now - last : 0
    guard age >= longest || (age >= shortest && tenth > lastTenth) else { return false }
    (self.last, lastTenth) = (now, tenth)
    return true
  }
}
