import CMillrace
import MillraceIPC

/// The executors of Swift's in a process that never runs the program's `main`.
///
/// There nobody serves the main queue, where the main actor's jobs go, and nobody can: Dispatch serves it on the process's first
/// thread alone, which is not ours to give. And a fork has none of the threads that run what prefers no executor. So the runtime
/// is told to bring such jobs here.
package enum WorkerExecutors {
  /// Before any code of a user's runs in the process.
  ///
  /// - Parameters:
  ///   - isFork: whether the process was forked from the program.
  ///   - suddenEnd: called on a thread that code of a user's ends.
  package static func take(isFork: Bool, suddenEnd: @escaping @Sendable () -> Void) {
    self.suddenEnd = suddenEnd
    let main = MainActorThread(suddenEnd)
    mainActorThread = main
    let executor = main.asUnownedSerialExecutor()
    // An executor is as the runtime knows it, or it is left alone.
    if MemoryLayout<UnownedSerialExecutor>.size == MemoryLayout<millrace_executor>.size {
      _ = millrace_main_executor_set(unsafeBitCast(executor, to: millrace_executor.self))
    }
    guard isFork else { return }
    let threads = ForkThreads(suddenEnd)
    forkThreads = threads
    _ = millrace_global_executor_set { job in
      WorkerExecutors.forkThreads!.enqueue(unsafeBitCast(job, to: UnownedJob.self))
    }
    threads.wakeSleepers()
  }

  // Sound: set before any code of a user's runs in the process, and never again.
  nonisolated(unsafe) private static var mainActorThread: MainActorThread?
  nonisolated(unsafe) static var forkThreads: ForkThreads?
  nonisolated(unsafe) private static var suddenEnd: @Sendable () -> Void = {}

  /// Runs code of a user's that nobody is to wait for, on a thread for that alone; on the calling one, where the system has none.
  static func runApart(_ name: String, _ body: @escaping @Sendable () -> Void) {
    do { try startThread(name, suddenEnd: suddenEnd, body) } catch { body() }
  }
}

/// The main actor's executor: a thread of its own, from its first job on.
private final class MainActorThread: SerialExecutor, Sendable {
  private let jobs = JobQueue()
  private let isStarted = Lock(false)
  private let suddenEnd: @Sendable () -> Void

  init(_ suddenEnd: @escaping @Sendable () -> Void) { self.suddenEnd = suddenEnd }

  func enqueue(_ job: consuming ExecutorJob) {
    jobs.add(UnownedJob(job))
    let isFirst = isStarted.withLock { isStarted in
      defer { isStarted = true }
      return !isStarted
    }
    guard isFirst else { return }
    startForJobs("millrace-main", suddenEnd) { [self] in
      let executor = asUnownedSerialExecutor()
      jobs.run { $0.runSynchronously(on: executor) }
    }
  }
}

/// A thread for jobs of the runtime's, of which nobody else knows.
func startForJobs(_ name: String, _ suddenEnd: @escaping @Sendable () -> Void, _ body: @escaping @Sendable () -> Void) {
  do {
    try startThread(name, suddenEnd: suddenEnd, body)
  } catch {
    // Nothing would ever run what was given to it.
    fatalError("\(error)")
  }
}
