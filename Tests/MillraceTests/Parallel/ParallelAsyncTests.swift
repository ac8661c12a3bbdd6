import Millrace
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite("Parallel calls in async code", .timeLimit(.minutes(1)))
struct ParallelAsyncTests {
  @Test(arguments: [0, 1, 3, 5000], [nil, 1, 4])
  func synchronousClosures(count: Int, width: Int?) async {
    let items = Array(0..<count)
    #expect(await items.parallelMap(width: width) { $0 + 1 } == items.map { $0 + 1 })
    #expect(await items.parallelFilter(width: width) { $0 % 2 == 0 } == items.filter { $0 % 2 == 0 })
    #expect(
      await items.parallelCompactMap(width: width) { $0 % 3 == 0 ? -$0 : nil }
        == items.compactMap { $0 % 3 == 0 ? -$0 : nil })
    #expect(await items.parallelReduce(5, width: width, +) == items.reduce(5, +))
    #expect(
      await items.parallelReduce(into: [Int](), width: width) {
        $0.append($1)
      } merge: {
        $0 += $1
      } == items)
    let counters = Counters(count)
    await items.parallelForEach(width: width) { counters.add(at: $0) }
    await items.parallelForEachPart(width: width) { for i in $0 { counters.add(at: i) } }
    #expect(counters.values.allSatisfy { $0 == 2 })
  }

  @Test(arguments: [0, 1, 3, 500], [nil, 1, 40])
  func asynchronousClosures(count: Int, width: Int?) async {
    let items = Array(0..<count)
    #expect(await items.parallelMap(width: width) { await later($0) } == items)
    #expect(await items.parallelFilter(width: width) { await later($0) % 2 == 0 } == items.filter { $0 % 2 == 0 })
    #expect(
      await items.parallelCompactMap(width: width) { await later($0) % 3 == 0 ? $0 : nil }
        == items.filter { $0 % 3 == 0 })
    let counters = Counters(count)
    await items.parallelForEach(width: width, grain: 3) { counters.add(at: await later($0)) }
    #expect(counters.values.allSatisfy { $0 == 1 })
  }

  @Test func errorsAreTyped() async {
    do throws(Refused) {
      _ = try await (0..<100).parallelMap { i throws(Refused) in if i == 30 { throw Refused(index: i) } else { i } }
      Issue.record("no error")
    } catch {
      #expect(error.index == 30)
    }
    do throws(Refused) {
      _ = try await (0..<100).parallelMap { i async throws(Refused) in
        if await later(i) == 30 { throw Refused(index: i) } else { i }
      }
      Issue.record("no error")
    } catch {
      #expect(error.index == 30)
    }
  }

  @Test func aFailedCallLeavesNothing() async {
    let census = Tracked.Census()
    await #expect(throws: Refused.self) {
      _ = try await (0..<100).parallelMap { i in if i == 77 { throw Refused(index: i) } else { Tracked(i, in: census) }
      }
    }
    #expect(census.alive == 0)
    await #expect(throws: Refused.self) {
      _ = try await (0..<100).parallelMap { i in
        if await later(i) == 77 { throw Refused(index: i) } else { Tracked(i, in: census) }
      }
    }
    #expect(census.alive == 0)
  }

  /// More calls than threads, each of which blocks: the task that releases them gets to run nevertheless.
  @Test func theCooperativePoolStaysFree() async {
    let gate = Gate()
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<16 {
        group.addTask { await (0..<2).parallelForEach(grain: 1) { _ in while !gate.isOpen { sched_yield() } } }
      }
      group.addTask { gate.open() }
    }
    #expect(gate.isOpen)
  }

  @Test func cancellationStopsACallThatThrows() async {
    let started = Gate()
    let done = Counters(1)
    let task = Task {
      try await (0..<1_000_000).parallelForEach(grain: 1) { _ in
        started.open()
        done.add(at: 0)
        sched_yield()
        if false { throw Refused(index: 0) }
      }
    }
    while !started.isOpen { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(done.values[0] < 1_000_000)
  }

  @Test func cancellationStopsAsyncClosures() async {
    let started = Gate()
    let task = Task {
      try await (0..<1000).parallelMap(width: 10) { i in
        started.open()
        try await Task.sleep(for: .seconds(3600))
        return i
      }
    }
    while !started.isOpen { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  @Test func aCallThatCannotThrowGoesOn() async {
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return await (0..<1000).parallelMap { $0 }
    }
    task.cancel()
    #expect(await task.value == Array(0..<1000))
  }

  @Test("a closure that is written as one that throws can be cancelled, though it never throws")
  func aClosureThatMayThrowStops() async {
    let started = Gate()
    let done = Counters(1)
    let task = Task {
      try await (0..<1_000_000).parallelMap(grain: 1) { (i: Int) throws in
        started.open()
        done.add(at: 0)
        sched_yield()
        return i
      }
    }
    while !started.isOpen { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(done.values[0] < 1_000_000)
  }

  @Test("an async closure that cannot throw sees the cancellation, and the call has all outputs")
  func anAsyncClosureThatCannotThrowSeesIt() async {
    let started = Gate()
    let task = Task {
      await (0..<20).parallelMap(width: 4) { (i: Int) async in
        started.open()
        try? await Task.sleep(for: .seconds(3600))
        return i
      }
    }
    while !started.isOpen { await Task.yield() }
    task.cancel()
    #expect(await task.value == Array(0..<20))
  }

  @Test func anErrorCancelsTheOtherLanes() async {
    await #expect(throws: Refused(index: 1)) {
      try await (0..<2).parallelForEach(width: 2) { i in
        if i == 1 { throw Refused(index: 1) }
        try? await Task.sleep(for: .seconds(3600))
      }
    }
  }

  @Test("U238: what lanes throw because they are cancelled for an error does not take its place")
  func theCause() async {
    for _ in 0..<20 {
      let entered = Crowd()
      await #expect(throws: Refused(index: 5)) {
        try await (0..<20).parallelMap(width: 20) { i in
          entered.enter()
          while i == 5, entered.most < 20 { await Task.yield() }
          if i == 5 { throw Refused(index: 5) }
          try await Task.sleep(for: .seconds(3600))
          return i
        }
      }
    }
  }

  @Test func widthBoundsWhatIsUnderWay() async {
    let crowd = Crowd()
    await (0..<100).parallelForEach(width: 7) { _ in
      crowd.enter()
      await Task.yield()
      crowd.leave()
    }
    #expect(crowd.most <= 7)
  }

  @Test func nestedInEachOther() async {
    let sums = await (0..<10).parallelMap { a in
      await (0..<10).parallelMap { b in await later(a * b) }.parallelReduce(0, +)
    }
    #expect(sums == (0..<10).map { $0 * 45 })
    let synchronousInside = await (0..<10).parallelMap { a in (0..<10).parallelMap { a * $0 }.reduce(0, +) }
    #expect(synchronousInside == sums)
  }

  @TaskLocal static var mark = 0

  @Test func taskLocalsReachAsyncClosures() async {
    let marks = await Self.$mark.withValue(7) { await (0..<4).parallelMap { await later($0) * 0 + Self.mark } }
    #expect(marks == [7, 7, 7, 7])
  }
}

private func later(_ value: Int) async -> Int {
  await Task.yield()
  return value
}
