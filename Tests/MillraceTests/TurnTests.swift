import Millrace
import MillraceIPC
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TurnTests {
  @Test func oneAtATimeInTheOrderOfArrival() async {
    let turn = Turn()
    let order = Log()
    #expect(await turn.take())
    await withTaskGroup { group in
      for name in 0..<5 {
        group.addTask {
          #expect(await turn.take())
          order.append(name)
          turn.pass()
        }
        while turn.waiters <= name { await Task.yield() }
      }
      turn.pass()
      await group.waitForAll()
    }
    #expect(order.names == [0, 1, 2, 3, 4])
    #expect(await turn.take())
  }

  @Test func whoDoesNotWaitForItIsRememberedUntilItIsPassedOn() {
    let turn = Turn()
    #expect(turn.takeIfFree())
    #expect(!turn.takeIfFree())
    #expect(turn.pass())
    #expect(turn.takeIfFree())
    #expect(!turn.pass())
  }

  @Test func whoIsCancelledWhileWaitingLeavesTheQueue() async {
    let turn = Turn()
    #expect(await turn.take())
    let waiter = Task { await turn.take() }
    while turn.waiters == 0 { await Task.yield() }
    waiter.cancel()
    #expect(await waiter.value == false)
    #expect(turn.waiters == 0)
    turn.pass()
    #expect(await turn.take())
  }
}

private final class Log: Sendable {
  private let content = Lock<[Int]>([])

  var names: [Int] { content.withLock { $0 } }

  func append(_ name: Int) { content.withLock { $0.append(name) } }
}
