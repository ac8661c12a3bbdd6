import Millrace
import Testing

@Suite("Errors in parallel calls", .timeLimit(.minutes(1)))
struct ParallelErrorTests {
  @Test(arguments: [1, 2, 5], [nil, 1, 10])
  func theErrorIsRethrownTypedAndOutputsAreDestroyed(width: Int, grain: Int?) {
    let census = Tracked.Census()
    for bad in [0, 1, 500, 999] {
      do throws(Refused) {
        _ = try (0..<1000).parallelMap(width: width, grain: grain) { i throws(Refused) in
          if i == bad { throw Refused(index: i) }
          return Tracked(i, in: census)
        }
        Issue.record("no error")
      } catch {
        #expect(error == Refused(index: bad))
      }
      #expect(census.alive == 0)
    }
  }

  @Test func withoutErrorsOutputsLiveAsLongAsTheArray() {
    let census = Tracked.Census()
    var outputs = (0..<10_000).parallelMap { Tracked($0, in: census) }
    #expect(census.alive == 10_000)
    #expect(outputs.enumerated().allSatisfy { $0 == $1.number })
    outputs = []
    #expect(census.alive == 0)
  }

  @Test func gatheredOutputsAreDestroyedToo() {
    let census = Tracked.Census()
    #expect(throws: Refused(index: 700)) {
      try (0..<1000).parallelCompactMap { i -> Tracked? in
        if i == 700 { throw Refused(index: i) }
        return i.isMultiple(of: 2) ? Tracked(i, in: census) : nil
      }
    }
    #expect(throws: Refused(index: 3)) {
      try (0..<1000).parallelReduce(into: [Tracked]()) { list, i in
        if i == 3 { throw Refused(index: i) }
        list.append(Tracked(i, in: census))
      } merge: {
        $0 += $1
      }
    }
    #expect(census.alive == 0)
  }

  @Test func theLowestOfSeveralErrorsIsThrown() {
    // With one thread, the first item that throws is the only one.
    #expect(throws: Refused(index: 40)) {
      try (0..<100).parallelForEach(width: 1, grain: 1) { if $0 >= 40 { throw Refused(index: $0) } }
    }
    // With two, both are inside when they throw.
    for _ in 0..<50 {
      let crowd = Counters(2)
      #expect(throws: Refused(index: 0)) {
        try (0..<2).parallelForEach(width: 2, grain: 1) { i in
          crowd.add(at: i)
          while crowd.values != [1, 1] {}
          throw Refused(index: i)
        }
      }
    }
  }

  @Test func theRestIsNotBegun() {
    let counters = Counters(100_000)
    #expect(throws: Refused.self) {
      try (0..<100_000).parallelForEach(grain: 1) { i in
        counters.add(at: i)
        throw Refused(index: i)
      }
    }
    #expect(counters.values.reduce(0, +) <= WorkerPool.usableCPUs)
  }

  @Test func reduceRethrowsFromTheLastCombinationToo() {
    #expect(throws: Refused(index: -1)) {
      try [1, 2].parallelReduce(0) { (a: Int, b: Int) in
        if a == 0 { throw Refused(index: -1) }
        return a + b
      }
    }
  }

  @Test func nothingToThrowNothingThrown() throws {
    let outputs = try (0..<100).parallelMap { (i: Int) throws -> Int in i }
    #expect(outputs == Array(0..<100))
    #expect(try [Int]().parallelMap { _ throws -> Int in throw Refused(index: 0) } == [])
  }
}
