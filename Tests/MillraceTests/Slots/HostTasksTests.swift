import MillraceIPC
import MillraceTesting
import Synchronization
import Testing

@testable import Millrace

/// What cancels the task in which a host serves, and what does not.
@Suite(.timeLimit(.minutes(1))) struct HostTasksTests {
  /// Whoever gives something up keeps it.
  private final class Owner: Sendable {}

  private let position = ItemPosition()
  private let tasks: HostTasks
  private let owner = Owner()
  private let thread = LaneThread()

  init() { tasks = HostTasks(position) }

  /// Serves on a thread, in one task after the other: what each of them does is in the list.
  private func serve(_ bodies: [@Sendable () async -> Void]) async throws {
    let thread = thread
    try startThread("host") { thread.run() }
    let tasks = tasks
    await Task(executorPreference: thread) {
      for body in bodies {
        _ = await tasks.serve(on: thread) {
          await body()
          return true
        }
      }
    }.value
    thread.end()
  }

  private func begin(_ number: UInt64) {
    position.progress.pointee.store(LaneLayout.tag(number), ordering: .releasing)
    tasks.begin(number)
  }

  private var isAbandoned: Bool { position.isAbandoned }

  /// Until the task of whoever calls it is cancelled.
  private func waitForCancellation() async { while !Task.isCancelled { await Task.yield() } }

  @Test func whatIsAtHandIsCancelledAndWhatFollowsIsNot() async throws {
    try await serve([
      {
        #expect(tasks.mayBegin(7))
        begin(7)
        #expect(!Task.isCancelled)
        tasks.giveUp(6...7, of: owner)
        await waitForCancellation()
        #expect(isAbandoned)
        #expect(!tasks.mayBegin(8))
      },
      {
        #expect(tasks.mayBegin(8))
        begin(8)
        #expect(!Task.isCancelled && !isAbandoned)
        #expect(tasks.mayBegin(9))
      },
    ])
  }

  @Test func whatIsOverIsNotCancelled() async throws {
    try await serve([
      {
        #expect(tasks.mayBegin(7))
        begin(7)
        #expect(tasks.mayBegin(8))
        begin(8)
        tasks.giveUp(1...7, of: owner)
        #expect(tasks.mayBegin(HostTasks.Number.other))
        tasks.giveUp(1...8, of: owner)
        #expect(tasks.mayBegin(HostTasks.Number.setUp(1)))
        tasks.begin(HostTasks.Number.setUp(1))
        tasks.giveUp(1...8, of: owner)
        #expect(tasks.mayBegin(9))
        begin(9)
        tasks.giveUp(HostTasks.Number.setUp(1)...HostTasks.Number.setUp(1), of: owner)
        #expect(tasks.mayBegin(HostTasks.Number.setUp(2)))
        #expect(!Task.isCancelled && !isAbandoned)
      }
    ])
  }

  @Test func whatWasGivenUpBeforeBeginsCancelled() async throws {
    try await serve([
      {
        tasks.giveUp(7...8, of: owner)
        tasks.giveUp(HostTasks.Number.setUp(1)...HostTasks.Number.setUp(1), of: owner)
        #expect(tasks.mayBegin(6))
        begin(6)
        #expect(!Task.isCancelled && !isAbandoned)
        #expect(tasks.mayBegin(7))
        begin(7)
        #expect(Task.isCancelled && isAbandoned)
        #expect(!tasks.mayBegin(8))
      },
      {
        #expect(tasks.mayBegin(8))
        begin(8)
        #expect(Task.isCancelled && isAbandoned)
        #expect(!tasks.mayBegin(HostTasks.Number.setUp(1)))
      },
      {
        #expect(tasks.mayBegin(HostTasks.Number.setUp(1)))
        tasks.begin(HostTasks.Number.setUp(1))
        #expect(Task.isCancelled)
        #expect(!tasks.mayBegin(9))
      },
      {
        #expect(tasks.mayBegin(9))
        begin(9)
        #expect(!Task.isCancelled && !isAbandoned)
      },
    ])
  }

  @Test func aTaskThatCancelsItselfIsLeft() async throws {
    try await serve([
      {
        #expect(tasks.mayBegin(1))
        begin(1)
        withUnsafeCurrentTask { $0?.cancel() }
        #expect(!isAbandoned)
        #expect(!tasks.mayBegin(2))
      },
      {
        #expect(tasks.mayBegin(2))
        #expect(!Task.isCancelled)
      },
    ])
  }

  /// Of two neighbours, the first is given up at any moment.
  @Test func theNextIsNeverCancelled() async throws {
    for round in 0..<300 {
      let tasks = HostTasks(ItemPosition())
      let thread = LaneThread()
      try startThread("host") { thread.run() }
      let isAtIt = Atomic(false)
      let wrong = Atomic(0)
      let host = Task(executorPreference: thread) {
        for number in [1, 2] as [UInt64] {
          while true {
            let goesOn = await tasks.serve(on: thread) {
              guard tasks.mayBegin(number) else { return true }
              tasks.begin(number)
              isAtIt.store(true, ordering: .releasing)
              for _ in 0..<(number == 1 ? round % 50 : 1_000) where number == 2 && Task.isCancelled {
                wrong.add(1, ordering: .relaxed)
              }
              return false
            }
            if !goesOn { break }
          }
        }
        thread.end()
      }
      while !isAtIt.load(ordering: .acquiring) {}
      tasks.giveUp(1...1, of: owner)
      await host.value
      #expect(wrong.load(ordering: .relaxed) == 0)
    }
  }
}
