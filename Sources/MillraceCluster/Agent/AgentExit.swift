/// What an agent's process exits with.
enum AgentExit {
  static let over: Int32 = 0
  /// It has finished what it had, and is not to be replaced: said to a launcher of ours. For all others it is over.
  static let drained: Int32 = 4
  static let failed: Int32 = 70
  /// It may not have work here, and will not (`EX_CONFIG`).
  static let refused: Int32 = 78
}
