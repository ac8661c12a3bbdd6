import Dispatch
import MillraceIPC
import MillraceTesting
import Testing

@Suite(.timeLimit(.minutes(1)))
struct VirtualClockTests {
  private let clock = VirtualClock()

  @Test func standsStillUntilMoved() {
    #expect(clock.now == .init(offset: .zero))
    clock.advance(by: .seconds(2))
    clock.advance(to: .init(offset: .seconds(5)))
    #expect(clock.now.offset == .seconds(5))
    #expect(clock.now.advanced(by: .seconds(1)).duration(to: clock.now) == .seconds(-1))
  }

  @Test func wakesWhoeverIsDueAndNobodyElse() async throws {
    let clock = clock
    let early = Task { try await clock.sleep(for: .seconds(1)) }
    let late = Task { try await clock.sleep(for: .seconds(3)) }
    await clock.waitForSleepers(2)
    #expect(clock.nextDeadline?.offset == .seconds(1))

    clock.advance(by: .milliseconds(999))
    #expect(clock.sleepers == 2)
    clock.advance(by: .milliseconds(1))
    #expect(clock.sleepers == 1)
    try await early.value

    #expect(clock.advanceToNextDeadline())
    #expect(clock.now.offset == .seconds(3))
    try await late.value
    #expect(!clock.advanceToNextDeadline())
    #expect(clock.now.offset == .seconds(3))
  }

  @Test func resumesInTheOrderOfDeadlinesThenOfArrival() async throws {
    let clock = clock
    let inOrder = InOrder()
    try await withThrowingTaskGroup { group in
      for (count, (name, seconds)) in [(0, 5), (1, 2), (2, 5), (3, 1), (4, 2)].enumerated() {
        group.addTask(executorPreference: inOrder) {
          try await clock.sleep(for: .seconds(seconds))
          inOrder.note(name)
        }
        await clock.waitForSleepers(count + 1)
      }
      // Who is counted as a sleeper may not be suspended yet, and would then run on at once, ahead of those that are.
      await Task(executorPreference: inOrder) {}.value
      clock.advance(by: .seconds(5))
      try await group.waitForAll()
    }
    #expect(inOrder.names == [3, 1, 4, 0, 2])
  }

  @Test func aDeadlineThatHasPassedDoesNotSleep() async throws {
    clock.advance(by: .seconds(10))
    try await clock.sleep(until: .init(offset: .seconds(10)))
    try await clock.sleep(until: .init(offset: .seconds(3)))
    #expect(clock.sleepers == 0)
  }

  @Test func cancellationEndsASleepAtOnceAndForgetsIt() async throws {
    let clock = clock
    let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
    await clock.waitForSleepers(1)
    sleeper.cancel()
    await #expect(throws: CancellationError.self) { try await sleeper.value }
    #expect(clock.sleepers == 0)

    let cancelledBefore = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await clock.sleep(for: .seconds(1))
    }
    await #expect(throws: CancellationError.self) { try await cancelledBefore.value }
    #expect(clock.sleepers == 0)
  }

  @Test func cancellationAndWakingRaceSafely() async throws {
    for _ in 0..<200 {
      let clock = VirtualClock()
      let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
      await clock.waitForSleepers(1)
      let canceller = Task { sleeper.cancel() }
      clock.advance(by: .seconds(1))
      await canceller.value
      _ = await sleeper.result  // ends one way or the other, once
      #expect(clock.sleepers == 0)
    }
  }

  @Test func isAClockForGenericCode() async throws {
    func pause(on clock: some Clock<Duration>) async throws { try await clock.sleep(for: .seconds(60)) }
    let clock = clock
    let sleeper = Task { try await pause(on: clock) }
    await clock.waitForSleepers(1)
    clock.advance(by: .seconds(60))
    try await sleeper.value
  }
}

/// Runs jobs in the order in which they are resumed. An actor would not do: it promises no order.
private final class InOrder: TaskExecutor {
  private let queue = DispatchQueue(label: "in order")
  private let notes = Lock<[Int]>([])

  var names: [Int] { notes.withLock { $0 } }

  func note(_ name: Int) { notes.withLock { $0.append(name) } }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
