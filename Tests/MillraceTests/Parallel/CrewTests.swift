import Foundation
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
    waitUntilTheCrewSleeps()
    let child = fork()
    if child == 0 {
      alarm(20)
      // Dispatch's threads, of which this is a copy of one, have it blocked.
      var alarms = sigset_t()
      sigemptyset(&alarms)
      sigaddset(&alarms, SIGALRM)
      pthread_sigmask(SIG_UNBLOCK, &alarms, nil)
      _exit(works() ? 0 : 1)
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    #expect(status == 0)
  }

  /// Its threads may still be on their way to sleep, and hold a lock of the Swift runtime there, for a witness table that
  /// nobody had asked for: a child that was forked just then would wait for that lock for ever.
  private func waitUntilTheCrewSleeps() {
    var looks = 0
    while looks < 3 {
      usleep(2_000)
      looks = crewStates().allSatisfy { $0 == "S" } ? looks + 1 : 0
    }
  }

  /// What the kernel says that each thread of the crew does; "S": sleeps.
  private func crewStates() -> [String] {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return threads.compactMap { thread in
      guard let stat = try? String(contentsOfFile: "/proc/self/task/\(thread)/stat", encoding: .utf8),
        stat.contains("(millrace-crew)")
      else { return nil }
      return stat.split(separator: ")").last?.split(separator: " ").first.map(String.init)
    }
  }
  #endif
}
