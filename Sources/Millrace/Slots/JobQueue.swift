import MillraceIPC

/// Swift's jobs, in order, and the threads of ours that run them.
package final class JobQueue: @unchecked Sendable {
  // Sound: everything is touched with the condition's mutex held only.
  private let condition = Condition()
  private var jobs = FIFO<UnownedJob>()
  private var isEnding = false
  /// How many threads wait for a job.
  private var idle = 0

  package init() {}

  /// Whether a thread waits for it that no other job is for.
  @discardableResult
  package func add(_ job: UnownedJob) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    jobs.append(job)
    condition.wakeOne()
    return idle >= jobs.count
  }

  /// Ends `run`, on each thread, once no job is left.
  package func end() {
    condition.lock()
    isEnding = true
    condition.wakeAll()
    condition.unlock()
  }

  /// Runs jobs on the calling thread until it is told to end.
  package func run(_ body: (UnownedJob) -> Void) {
    while let job = next() { body(job) }
  }

  private func next() -> UnownedJob? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let job = jobs.popFirst() { return job }
      if isEnding { return nil }
      idle += 1
      condition.wait()
      idle -= 1
    }
  }
}
