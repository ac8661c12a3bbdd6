import MillraceIPC

/// Outcomes that items have before they come: whoever keeps what became of earlier items, as a journal does, says so, and these items
/// are not run again. Their outcomes are delivered in their place, as those of attempt 0.
///
/// Who reads the input adds an item's outcome before it hands the item over, or all of them before the map begins. They are taken by one
/// job, once.
package final class KnownOutcomes<Output: Sendable>: Knowing {
  private struct State {
    /// Of items that have not come yet, in their order.
    var outcomes = FIFO<(index: Int, result: Result<Output, ItemFailure>)>()
    /// How many items have come.
    var come = 0
  }

  private let state = Lock(State())

  package init() {}

  deinit {
    // The user's objects.
    Unlocked.release(state)
  }

  /// The item of this index has this outcome. Indices grow.
  package func add(_ result: Result<Output, ItemFailure>, of index: Int) {
    state.withLock { $0.outcomes.append((index, result)) }
  }

  package var count: Int { state.withLock { $0.outcomes.count } }

  package func take(_ count: Int, _ cell: any AnyObject & Sendable) -> [Segment] {
    state.withLock { state in
      state.come += count
      var segments: [Segment] = []
      while let (index, result) = state.outcomes.first, index < state.come {
        switch result {
        case .failure(let failure):
          _ = state.outcomes.popFirst()
          segments.append(Self.segment(index..<index + 1, .failure(failure), cell))
        case .success:
          let outputs = Self.takeOutputs(&state)
          segments.append(Self.segment(outputs.base..<outputs.base + outputs.capacity, .outputs(outputs), cell))
        }
      }
      return segments
    }
  }

  /// Takes the outputs of consecutive items that have come.
  private static func takeOutputs(_ state: inout State) -> OutputBuffer<Output> {
    var outputs: [Output] = []
    let base = state.outcomes.first?.index ?? 0
    while let (index, result) = state.outcomes.first, index == base + outputs.count, index < state.come,
      case .success(let output) = result
    {
      outputs.append(output)
      _ = state.outcomes.popFirst()
    }
    let buffer = OutputBuffer<Output>(base: base, capacity: outputs.count)
    _ = UnsafeMutableBufferPointer(start: buffer.storage, count: outputs.count).initialize(fromContentsOf: outputs)
    buffer.settle(0..<outputs.count)
    return buffer
  }

  private static func segment(
    _ range: Range<Int>, _ content: Segment.Content, _ cell: any AnyObject & Sendable
  ) -> Segment {
    Segment(range: range, slot: 0, attempt: 0, content: content, cell: cell)
  }
}

/// What is known of a job's items before they come, whatever their outputs are.
package protocol Knowing: AnyObject, Sendable {
  /// So many of its items have come: takes the outcomes that some of them have. Called under the pool's lock.
  func take(_ count: Int, _ cell: any AnyObject & Sendable) -> [Segment]
  /// How many are known of now and have not come.
  var count: Int { get }
}

extension Dispatcher {
  /// Items of the job have come, with what is known of them.
  mutating func arrived(
    _ job: JobRecord, _ batch: Batch, ended: Bool = false, goesOn: Bool = false, now: UInt64
  ) {
    arrived(
      job.id, count: batch.count, cell: batch.cell, ended: ended, goesOn: goesOn,
      known: job.known?.take(batch.count, batch.cell) ?? [], now: now)
  }
}
