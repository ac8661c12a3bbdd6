import Millrace
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite("Parallel calls inside and beside each other", .timeLimit(.minutes(1)))
struct ParallelNestingTests {
  @Test(arguments: [nil, 1, 2, 8])
  func threeDeep(width: Int?) {
    let result = (0..<12).parallelMap(width: width) { a in
      (0..<12).parallelMap(width: width) { b in
        (0..<12).parallelMap(width: width) { c in a * 144 + b * 12 + c }
      }
    }
    #expect(result.flatMap { $0.flatMap { $0 } } == Array(0..<1728))
  }

  @Test func nestedCallsDoNotOversubscribe() {
    let crowd = Crowd()
    (0..<20).parallelForEach(grain: 1) { _ in
      (0..<20).parallelForEach(grain: 1) { _ in
        (0..<20).parallelForEach(grain: 1) { _ in
          crowd.enter()
          crowd.leave()
        }
      }
    }
    // Other tests run beside this one, which may only make it fewer.
    #expect(crowd.most <= WorkerPool.usableCPUs)
  }

  @Test func errorsPassThroughLevels() {
    #expect(throws: Refused(index: 5)) {
      try (0..<10).parallelForEach { a in
        try (0..<10).parallelForEach { b in if a * 10 + b == 5 { throw Refused(index: 5) } }
      }
    }
  }

  @Test func manyCallersAtOnce() {
    let total = Atomic<Int>(0)
    withThreads(6) { _ in
      for _ in 0..<50 {
        let sum = (0..<1000).parallelReduce(0, +)
        total.add(sum, ordering: .relaxed)
      }
    }
    #expect(total.load(ordering: .relaxed) == 6 * 50 * 499_500)
  }

  /// Items that wait for each other: width is what was asked for, CPUs or not.
  @Test func aWidthAboveTheCPUsIsGranted() {
    let width = WorkerPool.usableCPUs + 3
    let met = Counters(width)
    (0..<width).parallelForEach(width: width, grain: 1) { i in
      met.add(at: i)
      while met.values.contains(0) { sched_yield() }
    }
    #expect(met.values.allSatisfy { $0 == 1 })
  }

  @Test func widthIsTheMost() {
    for width in 1...3 {
      let crowd = Crowd()
      (0..<300).parallelForEach(width: width, grain: 1) { _ in
        crowd.enter()
        sched_yield()
        crowd.leave()
      }
      #expect(crowd.most <= width)
    }
  }
}

/// Runs `body` on so many threads of the test's own, and waits for them.
func withThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let threads = (0..<count).map { number -> pthread_t in
    var thread = pthread_t()
    let work = Unmanaged.passRetained(ThreadWork { body(number) }).toOpaque()
    let failure = pthread_create(
      &thread, nil,
      {
        Unmanaged<ThreadWork>.fromOpaque($0!).takeRetainedValue().run(); return nil
      }, work)
    precondition(failure == 0)
    return thread
  }
  for thread in threads { pthread_join(thread, nil) }
}

private final class ThreadWork: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
