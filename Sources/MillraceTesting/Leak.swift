/// What a body left behind: the error that ``LeakOracle`` throws.
public struct Leak: Error, Sendable {
  /// Everything that is there and was not there before, ordered by kind.
  public let resources: [Resource]

  /// How long the oracle waited, after the body had ended, for these things to go.
  public let waited: Duration

  /// What the body threw, if it threw.
  public let cause: (any Error)?
}

extension Leak: CustomStringConvertible {
  /// One line that says how many things are left, and one line for each.
  public var description: String {
    let count = resources.count == 1 ? "1 thing is" : "\(resources.count) things are"
    var lines = [
      "\(count) left, \(waited) after the end, that \(resources.count == 1 ? "was" : "were") not there before:"
    ]
    lines += resources.map { "  \($0)" }
    if let cause { lines.append("The body threw: \(cause)") }
    return lines.joined(separator: "\n")
  }
}
