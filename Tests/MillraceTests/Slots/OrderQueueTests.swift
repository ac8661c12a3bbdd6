import Millrace
import Testing

@Suite struct OrderQueueTests {
  @Test("who has other things to do hands it over after so many rounds, and nothing is done twice or by two")
  func handingOver() {
    let queue = OrderQueue<Int>()
    var done: [Int] = []
    // Each order brings another one, as stations do.
    func perform(_ order: Int) {
      done.append(order)
      if order < 10 { queue.accept(order + 1) }
    }
    queue.accept(0)
    var handedOver = 0
    queue.flush(rounds: 3, perform) { handedOver += 1 }
    #expect(done == [0, 1, 2] && handedOver == 1)
    // It is held until whoever it was handed to is done with it.
    queue.flush { _ in Issue.record("two have it") }
    queue.release(perform)
    #expect(done == Array(0...10))
    queue.accept(11)
    queue.flush(rounds: 3, perform) { handedOver += 1 }
    #expect(done == Array(0...11) && handedOver == 1)
  }
}
