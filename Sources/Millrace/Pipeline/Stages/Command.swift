/// Runs a program for each item: the item is its standard input, and its standard output is what becomes of it.
///
/// ```swift
/// let shouting = Pipeline<String, String> { Command("tr", "a-z", "A-Z") }
/// ```
///
/// A program that does not exit with 0 fails its item, with a ``ProgramFailure``, and one whose output is not UTF-8 with an ``InvalidLine``.
public struct Command: StatelessWorker, Codable, Hashable {
  /// The program, which is searched for as a shell does, and its arguments.
  public var arguments: [String]
  /// Variables beside those of this program.
  public var environment: [String: String]
  /// Where it begins; nil: where this program is.
  public var folder: String?

  /// A program with arguments.
  public init(_ program: String, _ arguments: String...) {
    self.arguments = [program] + arguments
    environment = [:]
  }

  /// A program with arguments, variables and a folder.
  public init(_ arguments: [String], environment: [String: String] = [:], folder: String? = nil) {
    self.arguments = arguments
    self.environment = environment
    self.folder = folder
  }

  /// Runs it.
  public func process(_ item: String) async throws -> String {
    let program = try await ProgramTalk.start(arguments, environment: environment, folder: folder)
    var output: [UInt8] = []
    if let some = try await program.write(Array(item.utf8)) { output += some }
    output += try await program.finish()
    guard let text = String(validating: output, as: UTF8.self) else {
      // The line is of a text that would be whole up to there.
      let bad = output.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        .firstIndex { String(validating: $0, as: UTF8.self) == nil }
      throw InvalidLine(program: arguments[0], number: (bad ?? 0) + 1)
    }
    return text
  }
}

extension Command: CheckedStage {
  package func check() throws { try ProgramTalk.check(arguments, environment: environment, folder: folder) }
}
