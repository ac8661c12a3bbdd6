/// How a lane goes through its range: how much it takes at once, and from which end.
///
/// A piece should take about ``target``: long against the price of a piece (some 60 ns), short against
/// what a lane may wait for another at the end, and short enough that a sudden run of costly items does little harm.
/// Sizes follow the last measurement: they shrink at once and grow by at most eightfold.
///
/// Costly items get another care. If the items at the back cost more than those at the front, the lane
/// works from the back, so that the costly ones are begun early and what is shared out last is cheap: sorted input, with
/// its few enormous items at the very end, would otherwise leave the other lanes idle for one of those.
/// Nothing is assumed: the second piece of a fresh range is taken from the back, and the two are compared.
struct Pace {
  /// Nanoseconds that a piece should take.
  static let target = 20_000.0
  /// Nanoseconds a unit above which it is worth knowing which end is costlier.
  static let costly = 2_000.0
  static let growth = 8

  /// Units in every piece, or nil for as many as the measurements say.
  let fixed: Int?
  private let mayTurn: Bool
  private var next = 1
  private var probe = Probe.front
  /// Whether the next piece is to come from the back.
  private(set) var fromBack = false

  private enum Probe {
    case front
    case back(frontCost: Double)
    case settled
  }

  /// - Parameter mayTurn: false for work whose pieces have to be in ascending order within a lane.
  init(fixed: Int?, mayTurn: Bool) {
    self.fixed = fixed
    self.mayTurn = mayTurn
  }

  /// Units to take from a range that holds so many: half of them at most, so that others find something to take.
  func size(remaining: Int) -> Int {
    if let fixed { return fixed }
    return min(next, max(1, remaining / 2))
  }

  /// The lane has got another range.
  mutating func begin() {
    probe = .front
    fromBack = false
  }

  /// A piece of so many units took so many nanoseconds.
  mutating func measured(units: Int, nanoseconds: Double) {
    let cost = max(nanoseconds, 1) / Double(units)
    next = max(1, min(units * Self.growth, Int(Self.target / cost)))
    guard mayTurn else { return }
    switch probe {
    case .front where cost > Self.costly:
      probe = .back(frontCost: cost)
      fromBack = true
    case .back(let frontCost):
      fromBack = cost > 2 * frontCost
      probe = .settled
    case .front, .settled:
      break
    }
  }
}
