@testable import MillraceTesting
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TurnTests {
  @Test func oneAtATimeInTheOrderOfArrival() async throws {
    let turn = Turn()
    let order = Log()
    try await turn.take()
    try await withThrowingTaskGroup { group in
      for name in 0..<5 {
        group.addTask {
          try await turn.take()
          order.append(name)
          turn.pass()
        }
        while turn.waiters <= name { await Task.yield() }
      }
      turn.pass()
      try await group.waitForAll()
    }
    #expect(order.names == [0, 1, 2, 3, 4])
    try await turn.take()
  }

  @Test func whoIsCancelledWhileWaitingLeavesTheQueue() async throws {
    let turn = Turn()
    try await turn.take()
    let waiter = Task { try await turn.take() }
    while turn.waiters == 0 { await Task.yield() }
    waiter.cancel()
    await #expect(throws: CancellationError.self) { try await waiter.value }
    #expect(turn.waiters == 0)
    turn.pass()
    try await turn.take()
  }
}

private final class Log: Sendable {
  private let content = Mutex<[Int]>([])

  var names: [Int] { content.withLock { $0 } }

  func append(_ name: Int) { content.withLock { $0.append(name) } }
}
