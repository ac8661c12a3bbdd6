package import Logging
import Millrace
import MillraceIPC

/// Gets agents running somewhere. They join by themselves: whoever launches them need not know them.
package protocol AgentLauncher: Sendable {
  /// Starts all of them. What cannot be started is logged; throws if that is all.
  func launch(logger: Logger) async throws
  /// Starts those again that have ended. Called while the queue answers: without it they would only end again.
  func replace(logger: Logger)
  /// Called again and again while the queue answers and no agent is there that may have work.
  func missAgents(logger: Logger)
  /// Whether others start them, perhaps in hours.
  var isOpenEnded: Bool { get }
  /// Whether none is left, and none will come.
  var isExhausted: Bool { get }
  /// Why none will come, if that is known.
  var whyExhausted: String? { get }
  /// Whether more than so many will not come.
  func hasAll(_ count: Int) -> Bool
  /// Sees to it that none is left.
  ///
  /// - Parameter alive: those that were heard of. Others have nobody whose tear-down would have to be waited for.
  func end(_ alive: Set<String>) async
}

extension AgentLauncher {
  package func replace(logger: Logger) {}
  package func missAgents(logger: Logger) {}
  package var isOpenEnded: Bool { false }
  package var whyExhausted: String? { nil }
}

/// Somebody else starts them.
struct ExternalLauncher: AgentLauncher {
  func launch(logger: Logger) async throws {}
  var isOpenEnded: Bool { true }
  var isExhausted: Bool { false }
  func hasAll(_ count: Int) -> Bool { true }
  func end(_ alive: Set<String>) async {}
}

/// Agents in this very process: for tests.
package final class HereLauncher: AgentLauncher {
  private let make: @Sendable () -> Agent
  private let count: Int
  private let agents = Lock<[(agent: Agent, task: Task<Agent.End, Never>)]>([])

  package init(_ count: Int, _ make: @escaping @Sendable () -> Agent) { (self.count, self.make) = (count, make) }

  package func launch(logger: Logger) async throws {
    guard agents.withLock({ $0.isEmpty }) else { return }
    for _ in 0..<count {
      let agent = make()
      agents.withLock { $0.append((agent, Task { await agent.run() })) }
    }
  }

  package var isExhausted: Bool { false }
  package func hasAll(_ count: Int) -> Bool { count >= self.count }

  package func end(_ alive: Set<String>) async {
    let agents = agents.withLock { $0 }
    for (agent, _) in agents { agent.leave() }
    for (_, task) in agents { _ = await task.value }
  }
}
