/// Runs tasks on the threads of the crew, so that what blocks in them does not starve the cooperative pool.
final class CrewExecutor: TaskExecutor {
  /// As many threads as CPUs, for all tasks together.
  static let shared = CrewExecutor(isGranted: false)
  /// A thread more if all are busy: for calls whose width the user has given.
  static let granted = CrewExecutor(isGranted: true)

  private let isGranted: Bool

  private init(isGranted: Bool) {
    self.isGranted = isGranted
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Crew.shared.enqueue(isGranted: isGranted) { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
