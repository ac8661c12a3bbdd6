/// Runs tasks on the threads of the crew, so that what blocks in them does not starve the cooperative pool.
final class CrewExecutor: TaskExecutor {
  static let shared = CrewExecutor()

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Crew.shared.enqueue { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
