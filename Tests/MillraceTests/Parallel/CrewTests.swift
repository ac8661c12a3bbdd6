import MillraceTesting
import Testing

@testable import Millrace

#if canImport(Glibc)
import Glibc
#endif

@Suite("The crew", .timeLimit(.minutes(1)))
struct CrewTests {
  @Test func rootsAreFirstInFirstOut() {
    let order = Counters(1)
    var queue = RootQueue()
    for number in 0..<3 {
      queue.append {
        #expect(order.values == [number]); order.add(at: 0)
      }
    }
    queue.popFirst()?()
    queue.append {
      #expect(order.values == [3]); order.add(at: 0)
    }
    while let root = queue.popFirst() { root() }
    #expect(order.values == [4])
  }

  #if os(Linux)
  /// A forked child has the crew's books but none of its threads.
  @Test(.forks) func aForkedChildGetsACrewOfItsOwn() {
    let works: () -> Bool = {
      let sum = (0..<1000).parallelReduce(0, width: 2, +)
      let nested = (0..<4).parallelMap(width: 2) { a in (0..<100).parallelReduce(a, +) }
      return sum == 499_500 && nested == [4950, 4951, 4952, 4953]
    }
    // First here: what a child of a threaded parent finds half done, generic types in the making for one, stays so.
    #expect(works())
    let child = fork()
    if child == 0 {
      alarm(20)
      _exit(works() ? 0 : 1)
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    #expect(status == 0)
  }
  #endif
}
