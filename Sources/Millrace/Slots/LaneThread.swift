import MillraceIPC

/// A thread of its own that runs Swift tasks: the executor of a slot. Code in it may block as it likes.
///
/// Tasks prefer it through `Task(executorPreference:)`, so `async` code of theirs, and of what they call, stays on it.
package final class LaneThread: TaskExecutor, Sendable {
  private struct State {
    var jobs: [UnownedJob] = []
    var isEnding = false
  }
  private let state = Lock(State())
  private let bell = Bell()

  /// In a process that was forked from the program: its lane. There the default executor has no threads.
  // Sound: set before any code of a user's runs in the process, and never again.
  nonisolated(unsafe) package static var ofFork: LaneThread?

  package init() {}

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.jobs.append(job) }
    bell.ring()
  }

  /// Ends `run` once no job is left.
  package func end() {
    state.withLock { $0.isEnding = true }
    bell.ring()
  }

  /// Runs jobs on the calling thread until it is told to end.
  package func run() {
    let executor = asUnownedTaskExecutor()
    while true {
      let (jobs, isEnding) = state.withLock { state in
        defer { state.jobs.removeAll(keepingCapacity: true) }
        return (state.jobs, state.isEnding)
      }
      for job in jobs { job.runSynchronously(on: executor) }
      if jobs.isEmpty {
        if isEnding { return }
        bell.waitForWork()
      }
    }
  }
}
