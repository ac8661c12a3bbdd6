import MillraceIPC

// What wakes those who sleep is known to the default executor alone, whom a fork does not have; to be another one in its place is
// still an experiment of Swift's. Under a compiler that we do not know, and with another C library, nobody is woken there.
#if compiler(>=6.3) && compiler(<6.4) && canImport(Glibc)
@_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency
#endif

/// What stands for the default executor in a fork: threads, as many as there is to do at once and the machine has CPUs.
final class ForkThreads: TaskExecutor, Sendable {
  private let jobs = JobQueue()
  private let left = Lock(max(1, WorkerPool.usableCPUs))
  private let timers = JobTimers()
  private let suddenEnd: @Sendable () -> Void

  init(_ suddenEnd: @escaping @Sendable () -> Void) { self.suddenEnd = suddenEnd }

  func enqueue(_ job: consuming ExecutorJob) { enqueue(UnownedJob(job)) }

  func enqueue(_ job: UnownedJob) {
    guard !jobs.add(job) else { return }
    let mayStart = left.withLock { left in
      guard left > 0 else { return false }
      left -= 1
      return true
    }
    guard mayStart else { return }
    startForJobs("millrace-tasks", suddenEnd) { [self] in
      let executor = asUnownedTaskExecutor()
      jobs.run { $0.runSynchronously(on: executor) }
    }
  }

  /// From now on tasks that sleep are woken by it, under a compiler that we know.
  func wakeSleepers() {
    #if compiler(>=6.3) && compiler(<6.4) && canImport(Glibc)
    _createExecutors(factory: ForkExecutors.self)
    #endif
  }

  private func enqueue(_ job: UnownedJob, in nanoseconds: UInt64) {
    timers.add(job, at: MonotonicTime.now &+ nanoseconds) { [self] in enqueue($0) }
  }
}

/// Jobs whose time has not come, and from the first one on a thread that waits for it.
private final class JobTimers: @unchecked Sendable {
  // Sound: everything is touched with the condition's mutex held only.
  private let condition = Condition()
  /// The one that is due first is the last.
  private var waiting: [(time: UInt64, job: UnownedJob)] = []
  private var isStarted = false

  func add(_ job: UnownedJob, at time: UInt64, tell: @escaping @Sendable (UnownedJob) -> Void) {
    condition.lock()
    // Behind those of the same time, which were here before.
    waiting.insert((time, job), at: waiting.firstIndex { $0.time <= time } ?? waiting.count)
    let isFirst = !isStarted
    isStarted = true
    condition.wakeOne()
    condition.unlock()
    guard isFirst else { return }
    startForJobs("millrace-timers", {}) { [self] in while true { tell(next()) } }
  }

  private func next() -> UnownedJob {
    condition.lock()
    defer { condition.unlock() }
    while true {
      guard let (time, job) = waiting.last else {
        condition.wait()
        continue
      }
      if time <= MonotonicTime.now {
        waiting.removeLast()
        return job
      }
      condition.wait(until: time)
    }
  }
}

#if compiler(>=6.3) && compiler(<6.4) && canImport(Glibc)
/// What the runtime has for its own in a fork.
private enum ForkExecutors: ExecutorFactory {
  static var mainExecutor: any MainExecutor { MainActor.executor }
  static var defaultExecutor: any TaskExecutor { WorkerExecutors.forkThreads! }
}

extension ForkThreads: SchedulingExecutor {
  func enqueue<C: Clock>(
    _ job: consuming ExecutorJob, at instant: C.Instant, tolerance: C.Duration?, clock: C
  ) {
    enqueue(job, after: clock.now.duration(to: instant), tolerance: tolerance, clock: clock)
  }

  /// The runtime's clocks have its durations; others sleep by means of those.
  func enqueue<C: Clock>(
    _ job: consuming ExecutorJob, after delay: C.Duration, tolerance: C.Duration?, clock: C
  ) {
    enqueue(UnownedJob(job), in: (delay as? Duration)?.nanoseconds ?? 0)
  }
}
#endif
