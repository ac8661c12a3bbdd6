/// What an agent's process exits with.
enum AgentExit {
  static let over: Int32 = 0
  static let failed: Int32 = 70
  /// It may not have work here, and will not (`EX_CONFIG`).
  static let refused: Int32 = 78
}
