/// A worker's instance in a slot, with its state: what a lane holds without knowing the type.
package class AnyWorkerInstance {
  package func setUp(_ context: WorkerContext) async throws {}
  package func run(_ chunk: Chunk, seed: UInt64, on lane: LocalLane) async {}
  /// The exit value, if the worker had been set up.
  package func tearDown() async throws -> (any Sendable)? { nil }
}

package final class WorkerInstance<W: Worker>: AnyWorkerInstance {
  let worker: W
  // Touched by the lane's task alone, one call of the worker's after the other.
  @exclusivity(unchecked) var state: W.State?

  init(_ worker: W) { self.worker = worker }

  override package func setUp(_ context: WorkerContext) async throws {
    state = try await worker.setUp(context)
  }

  override package func tearDown() async throws -> (any Sendable)? {
    guard let state = state.take() else { return nil }
    return try await worker.tearDown(state)
  }

  override package func run(_ chunk: Chunk, seed: UInt64, on lane: LocalLane) async {
    let cell = unsafeDowncast(chunk.cell, to: InputCell<W.Input>.self)
    let first = chunk.range.lowerBound
    let count = chunk.range.count
    let outputs = OutputBuffer<W.Output>(base: first, capacity: count)
    // The run works on their memory, whoever else lets go of them meanwhile.
    defer { withExtendedLifetime((cell, outputs)) {} }
    // It may have been taken back meanwhile.
    guard lane.enter(LocalLane.Run(chunk: chunk, outputs: outputs, settle: outputs.settle), seed: seed) else { return }
    let position = lane.position
    var run = _ItemRun(
      inputs: cell.items + (first - cell.base), outputs: outputs.storage, range: 0..<count,
      progress: position.progress, startTime: lane.isTimed ? position.startTime : nil)
    let begun = _monotonicNow()
    let surroundings = lane.itemSurroundings
    while true {
      let end: _RunEnd
      if let surroundings, !run.isCut, run.next < count {
        // One by one: nothing but the loop over them knows where one ends and the next begins.
        run.end = run.next + 1
        let item = position.current
        end = await surroundings.aroundItem(item.index, attempt: item.attempt) {
          await worker._run(&run, &state!)
        }
        if case .finished = end, !run.isCut, run.next < count { continue }
      } else {
        end = await worker._run(&run, &state!)
      }
      lane.copies.leave()
      switch end {
      case .finished:
        return lane.finished(items: run.next, elapsed: _monotonicNow() &- begun)
      case .abandoned:
        return lane.gaveUp(items: run.next, elapsed: _monotonicNow() &- begun)
      case .threw(let error):
        guard lane.threw(error, at: run.next), run._advance() else {
          return lane.gaveUp(items: run.next, elapsed: _monotonicNow() &- begun)
        }
      }
    }
  }
}

extension Optional {
  fileprivate mutating func take() -> Wrapped? {
    defer { self = nil }
    return self
  }
}
