#if CLI
/// Short options written together, the last with its value, as in `-kj4`; the parser takes only flags together.
enum ShortOptions {
  private static let flags: Set<Character> = ["0", "k", "q", "u"]
  private static let withValue: Set<Character> = ["a", "C", "j"]
  private static let longWithValue: Set<String> = [
    "--arg-file", "--colsep", "--jobs", "--timeout", "--retries", "--halt", "--joblog",
  ]

  /// The arguments after `map` with `-kj4` as `-k -j4`; the command and what follows stay as they are.
  static func separated(_ arguments: [String]) -> [String] {
    guard arguments.first == "map" else { return arguments }
    var result = ["map"]
    var rest = arguments.dropFirst()
    while let argument = rest.first, argument.hasPrefix("-"), argument != "--", argument != "-" {
      rest.removeFirst()
      let parts = parts(of: argument)
      result += parts
      let takesNext = parts.last.map { longWithValue.contains($0) || $0.count == 2 && withValue.contains($0.last!) }
      if takesNext == true, let value = rest.popFirst() { result.append(value) }
    }
    return result + rest
  }

  private static func parts(of argument: String) -> [String] {
    let letters = argument.dropFirst()
    let flagged = letters.prefix { flags.contains($0) }
    guard !flagged.isEmpty, let option = letters.dropFirst(flagged.count).first, withValue.contains(option) else {
      return [argument]
    }
    return flagged.map { "-\($0)" } + ["-\(letters.dropFirst(flagged.count))"]
  }
}
#endif
