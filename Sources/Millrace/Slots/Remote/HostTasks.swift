import MillraceIPC
import Synchronization

/// The tasks in which a host carries out what it is asked, one after the other, and what of that nobody wants any more.
///
/// One of them serves until it is cancelled: because what it is at was given up, or by an item itself. What comes next is carried out in
/// a new one, so that no item meets a cancellation that is not its own.
///
/// Whoever gives something up names it by its number, and may be late. He and the host have no lock in common while nothing is given up,
/// but two words, in this order:
///
/// ```
///  whoever gives something up             the host
///  notes that there is something to see   notes what it is at
///  looks what the host is at              looks whether there is something to see
/// ```
///
/// So either he finds the host at something else, and cancels nothing; or the host sees that its task is spent, and leaves it.
package final class HostTasks: Sendable {
  /// What a host may be at, as a number: a chunk has its own.
  package enum Number {
    /// What nobody gives up: a tear-down.
    static let other: UInt64 = 0

    /// A set-up: which of the host's it is, from 1.
    static func setUp(_ count: UInt64) -> UInt64 { 1 << 63 | count }
    static func isSetUp(_ number: UInt64) -> Bool { number >> 63 == 1 }
  }

  private struct State {
    /// The one that serves.
    var task: Task<Bool, Never>?
    /// It is cancelled, or about to be.
    var isSpent = false
    /// What nobody wants, and may not be over.
    var unwanted: [ClosedRange<UInt64>] = []
    /// The last set-up that the host has come to.
    var setUp = Number.setUp(0)
  }
  private let state = Lock(State())
  /// What the host is at, or was at last.
  private let atHand = Atomic<UInt64>(Number.other)
  /// There is something to see in the state.
  private let hasNews = Atomic(false)
  private let position: ItemPosition

  init(_ position: ItemPosition) { self.position = position }

  // MARK: The host

  /// Serves in a new task on the thread, which must be the calling one's; what that says: whether it is to go on in another.
  func serve(on thread: LaneThread, _ body: @escaping @Sendable () async -> Bool) async -> Bool {
    let task = Task(executorPreference: thread) {
      await withTaskCancellationHandler(operation: body) { self.isCancelled() }
    }
    // Its thread is at this one until it is waited for, so it has not begun.
    state.withLock { ($0.task, $0.isSpent) = (task, false) }
    let goesOn = await task.value
    state.withLock { $0.task = nil }
    return goesOn
  }

  /// The host's task is cancelled, by whomever.
  private func isCancelled() {
    state.withLock { state in
      state.isSpent = true
      hasNews.store(true, ordering: .sequentiallyConsistent)
    }
  }

  /// The host comes to something: false if that is not to run in this task.
  @inline(__always)
  func mayBegin(_ number: UInt64) -> Bool {
    atHand.store(number, ordering: .sequentiallyConsistent)
    return !hasNews.load(ordering: .sequentiallyConsistent) && !Number.isSetUp(number) || isFresh(for: number)
  }

  private func isFresh(for number: UInt64) -> Bool {
    state.withLock { state in
      if Number.isSetUp(number) { state.setUp = number }
      // What was before is over. Chunks and set-ups are counted apart.
      state.unwanted.removeAll { [setUp = state.setUp] numbers in
        let last = numbers.upperBound
        return Number.isSetUp(last)
          ? last < setUp || last == setUp && number != setUp : last < number && !Number.isSetUp(number)
      }
      hasNews.store(state.isSpent || !state.unwanted.isEmpty, ordering: .sequentiallyConsistent)
      return !state.isSpent
    }
  }

  /// What the host begins was given up before: it runs in a task that is cancelled.
  @inline(__always)
  func begin(_ number: UInt64) { if hasNews.load(ordering: .sequentiallyConsistent) { beginUnwanted(number) } }

  private func beginUnwanted(_ number: UInt64) {
    guard state.withLock({ state in state.unwanted.contains { $0.contains(number) } }) else { return }
    abandon(number)
    withUnsafeCurrentTask { $0?.cancel() }
  }

  // MARK: Whoever gives something up

  /// Nobody wants these any more. If the host is at one of them, its current item does not count, and its task is cancelled.
  ///
  /// - Parameter host: is kept until then.
  func giveUp(_ numbers: ClosedRange<UInt64>, of host: any AnyObject & Sendable) {
    let (number, task) = state.withLock { state in
      hasNews.store(true, ordering: .sequentiallyConsistent)
      let number = atHand.load(ordering: .sequentiallyConsistent)
      state.unwanted.append(numbers)
      guard numbers.contains(number) else { return (nil as UInt64?, nil as Task<Bool, Never>?) }
      defer { state.isSpent = true }
      return (number, state.isSpent ? nil : state.task)
    }
    guard let number else { return }
    abandon(number)
    guard let task else { return }
    // Handlers of the user's may take long, and whoever is here has others to hear.
    WorkerExecutors.runApart("millrace-cancel") { [self] in
      Unlocked.expect("a cancellation handler")
      task.cancel()
      // The host may have come to it just then, and begun it later.
      abandon(number)
      withExtendedLifetime(host) {}
    }
  }

  private func abandon(_ number: UInt64) {
    if !Number.isSetUp(number) { position.progress.abandon(chunk: number) }
  }
}
