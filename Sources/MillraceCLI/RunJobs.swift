#if CLI
import Millrace

/// A job that has failed, as the pool hears of it.
struct JobFailed<Output: Sendable>: Error {
  /// What there is to be said of it, if it is not tried again.
  var output: Output
  /// Whether the run goes on, so that another try is worth it.
  var isWorthAnother: Bool
}

/// Runs `run` over the inputs on a pool of `width` threads, and hands every result to `deliver` as it comes, one at a time.
///
/// A job that fails says so (`JobFailed`), and is tried again by the pool, up to `attempts` times in all.
///
/// One input is read ahead for each slot, so that a thread whose job has ended goes on with the next before anybody has to be
/// woken.
func runJobs<Inputs: Sequence, Output: Sendable>(
  inputs: Inputs, width: Int, attempts: Int = 1, progress: ProgressStyle = .none,
  run: @escaping @Sendable (_ input: Inputs.Element, _ index: Int, _ slot: Int) async throws -> Output,
  deliver: (Output) -> Void
) async throws where Inputs.Element: Sendable {
  // Sound: the caller waits here, and nobody else has them.
  nonisolated(unsafe) let inputs = inputs
  let retry = MapOptions.Retry.upTo(attempts - 1) { failure in
    (failure.failedJob() as JobFailed<Output>?)?.isWorthAnother ?? false
  }
  let options = MapOptions(
    chunking: .size(1), window: .items(2 * width), retry: retry, setUp: .lazy, progress: progress)
  try await withWorkerPool(.threads(width)) { pool in
    let outcomes = pool.outcomes(of: inputs, order: .completion, options: options) { input in
      let context = WorkerContext.current!
      return try await run(input, context.index, context.slot)
    }
    for try await outcome in outcomes {
      switch outcome.result {
      case .success(let output): deliver(output)
      case .failure(let failure):
        guard let failed: JobFailed<Output> = failure.failedJob() else { throw failure }
        deliver(failed.output)
      }
    }
  }
}

extension ItemFailure {
  /// The job's own word of it; nil if it is the pool's.
  fileprivate func failedJob<Output>() -> JobFailed<Output>? {
    guard case .threw(let error) = cause else { return nil }
    return error as? JobFailed<Output>
  }
}
#endif
