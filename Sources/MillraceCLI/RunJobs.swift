#if CLI
import Millrace

/// Runs `run` over the inputs on a pool of `width` threads, and hands every result to `deliver` as it comes, one at a time.
///
/// One input is read ahead for each slot, so that a thread whose job has ended goes on with the next before anybody has to be
/// woken.
func runJobs<Inputs: Sequence, Output: Sendable>(
  inputs: Inputs, width: Int,
  run: @escaping @Sendable (_ input: Inputs.Element, _ index: Int, _ slot: Int) -> Output,
  deliver: (Output) -> Void
) async throws where Inputs.Element: Sendable {
  // Sound: the caller waits here, and nobody else has them.
  nonisolated(unsafe) let inputs = inputs
  let options = MapOptions(chunking: .size(1), window: .items(2 * width), setUp: .lazy)
  try await withWorkerPool(.threads(width)) { pool in
    let outputs = pool.outputs(of: inputs, order: .completion, options: options) { input in
      let context = WorkerContext.current!
      return run(input, context.index, context.slot)
    }
    for try await output in outputs { deliver(output) }
  }
}
#endif
