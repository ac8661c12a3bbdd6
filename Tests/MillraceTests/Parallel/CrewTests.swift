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
    @Test func aForkedChildGetsACrewOfItsOwn() {
      #expect((0..<1000).parallelReduce(0, +) == 499_500)
      let child = forkedChild {
        let sum = (0..<1000).parallelReduce(0, width: 2, +)
        let nested = (0..<4).parallelMap(width: 2) { a in (0..<100).parallelReduce(a, +) }
        return sum == 499_500 && nested == [4950, 4951, 4952, 4953] ? 0 : 1
      }
      #expect(child == 0)
    }

    /// The wait status of a forked child that runs `body` and ends.
    private func forkedChild(_ body: () -> Int32) -> Int32 {
      let child = fork()
      if child == 0 { _exit(body()) }
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
      return status
    }
  #endif
}
