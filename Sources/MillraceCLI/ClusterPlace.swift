#if CLI
/// A command as it was given: what a template is made of, here as on an agent.
struct AgentCommand: Equatable, Codable, Hashable, Sendable {
  var words: [Bytes] = []
  /// The words mean themselves.
  var quotes = false

  var template: CommandTemplate { CommandTemplate(words, quoting: quotes) }
}

/// Where jobs run that do not run here.
struct ClusterPlace: Equatable, Sendable {
  struct Host: Equatable, Sendable {
    var name: String
    var slots: Int
  }

  /// As it was written.
  var queue: String
  /// Where agents are started; none: others start them.
  var hosts: [Host] = []

  /// How many jobs are out at once, if nobody says: those that run, and as many that wait for them.
  var usualWidth: Int { hosts.isEmpty ? 64 : min(WidthOption.most, 2 * hosts.reduce(0) { $0 + $1.slots }) }

  /// Reads `host1:4,user@host2`.
  static func hosts(_ text: String) throws -> [Host] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      let words = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = words.first, !name.isEmpty, name.first != "-",
        let slots = words.count == 2 ? Int(words[1]) : 1, (1...4096).contains(slots)
      else {
        throw UsageError("--hosts '\(Shown.text(text))' is no list of hosts and jobs at once, as in host1:4,host2:8")
      }
      return Host(name: String(name), slots: slots)
    }
  }
}
#endif
