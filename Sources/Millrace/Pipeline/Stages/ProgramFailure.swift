/// A program that a stage has run, and that has not ended well: how it ended, and what it has said.
public struct ProgramFailure: Error, Hashable, Sendable, Codable, CustomStringConvertible {
  /// The program and its arguments.
  public var arguments: [String]
  /// The code that it exited with; nil: a signal has ended it, or somebody else in this program has waited for it.
  public var exitCode: Int?
  /// The signal that has ended it, if one has.
  public var signal: Int?
  /// What it has written to its standard output, and nobody has taken.
  public var standardOutput: String
  /// The end of what it has written to its standard error.
  public var standardError: String

  package init(_ arguments: [String], _ end: ProgramEnd, standardOutput: String, standardError: String) {
    self.arguments = arguments
    switch end {
    case .exited(let code): exitCode = code
    case .signalled(let number): signal = number
    case .unknown: break
    }
    self.standardOutput = standardOutput
    self.standardError = standardError
  }

  /// How it ended, and what it has said.
  public var description: String {
    let how =
      if let exitCode { "exited with code \(exitCode)" } else if let signal { "was ended by signal \(signal)" } else {
        "ended, nobody knows how"
      }
    var text = "\(arguments.first ?? "a program") \(how)"
    if !standardError.isEmpty { text += "\nstandard error:\n\(standardError)" }
    if !standardOutput.isEmpty { text += "\nstandard output:\n\(standardOutput)" }
    return text
  }
}
