import MillraceIPC

/// A thread of its own that runs Swift tasks: the executor of a slot. Code in it may block as it likes.
///
/// Tasks prefer it through `Task(executorPreference:)`, so `async` code of theirs, and of what they call, stays on it.
package final class LaneThread: TaskExecutor, Sendable {
  private let jobs = JobQueue()

  /// In a process that was forked from the program: its lane.
  // Sound: set before any code of a user's runs in the process, and never again.
  nonisolated(unsafe) package static var ofFork: LaneThread?

  package init() {}

  package func enqueue(_ job: consuming ExecutorJob) { jobs.add(UnownedJob(job)) }

  /// Ends `run` once no job is left.
  package func end() { jobs.end() }

  /// Runs jobs on the calling thread until it is told to end.
  package func run() {
    let executor = asUnownedTaskExecutor()
    jobs.run { $0.runSynchronously(on: executor) }
  }
}
