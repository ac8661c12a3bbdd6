#if CLI
import Millrace

/// Runs `run` over the inputs on a pool of `width` threads, and hands every result to `deliver`, one at a time.
///
/// In completion order one input is read ahead for each slot, so that a thread whose job has ended goes on with the next
/// before anybody has to be woken. In input order up to `window` inputs are read, because as many results may wait for an
/// earlier one.
func runJobs<Inputs: Sequence, Output: Sendable>(
  inputs: Inputs, width: Int, order: OutcomeOrder, window: Int = 4096,
  run: @escaping @Sendable (_ input: Inputs.Element, _ index: Int, _ slot: Int) -> Output,
  deliver: (Output) -> Void
) async throws where Inputs.Element: Sendable {
  // Sound: the caller waits here, and nobody else has them.
  nonisolated(unsafe) let inputs = inputs
  let options = MapOptions(
    chunking: .size(1), window: .items(max(order == .input ? window : 0, 2 * width)), setUp: .lazy)
  try await withWorkerPool(.threads(width)) { pool in
    let outputs = pool.stream(inputs, order: order, options: options) { input, context in
      run(input, context.index, context.slot)
    }
    for try await output in outputs { deliver(output) }
  }
}
#endif
