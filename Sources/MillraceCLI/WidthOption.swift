#if CLI
/// Number of jobs at once (`--jobs`): `4`, `150%` of the CPUs, `+2` or `-1` beside their number, `0` for as many as can be.
enum WidthOption: Equatable, Sendable {
  case exactly(Int)
  case percent(Double)
  case besideCPUs(Int)
  case unlimited

  /// The most jobs at once for `0`: each needs a thread and four descriptors of ours.
  static let most = 1000

  static func parse(_ text: String) throws -> WidthOption {
    let refusal = UsageError("--jobs '\(Shown.text(text))' is not a number of jobs, as in 4, +1, -1, 50% or 0")
    if text.hasSuffix("%") {
      guard let percent = Double(text.dropLast()), percent > 0, percent <= 100_000 else { throw refusal }
      return .percent(percent)
    }
    guard let number = Int(text) else { throw refusal }
    guard number.magnitude <= 100_000 else {
      throw UsageError("--jobs '\(Shown.text(text))' is more than 100000 jobs at once")
    }
    if text.hasPrefix("+") || text.hasPrefix("-") { return .besideCPUs(number) }
    return number == 0 ? .unlimited : .exactly(number)
  }

  /// Jobs at once on a machine with so many CPUs; at least 1.
  func width(cpus: Int) -> Int {
    switch self {
    case .exactly(let number): number
    case .percent(let percent): max(1, Int(Double(cpus) * percent / 100))
    case .besideCPUs(let difference): max(1, cpus + difference)
    case .unlimited: Self.most
    }
  }
}
#endif
