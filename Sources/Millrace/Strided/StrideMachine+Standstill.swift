// Whether who waits will ever be served: decided, not guessed.

extension StrideMachine {
  /// Nothing runs, nothing is read, and the next item has no room: whoever waits now waits for others to take.
  var isAtStandstill: Bool {
    hasStarted && running == 0 && inside >= buffer && tasks[turn].source == .external && !tasks[turn].hasEnded
      && !tasks.contains { $0.isPulling }
  }

  /// Tells those who wait in vain: nobody else takes from the outputs that hold what fills the buffer.
  ///
  /// Who took from one of them in a loop, and has not left that, will come again, unless he waits himself. Of others nobody knows: that
  /// takes a grace.
  mutating func diagnose(after waited: Patience) {
    guard isAtStandstill else { return }
    let waiting = Set(tasks.lazy.flatMap(\.waiters).map(\.taker))
    guard !waiting.isEmpty, let due = patience(withThoseWho: waiting) else { return }
    guard due <= waited else {
      if let standstill, standstill.patience >= due { return }
      standstills += 1
      standstill = (standstills, due)
      actions.append(.grace(standstill: standstills, due))
      return
    }
    for task in tasks.indices where !tasks[task].waiters.isEmpty {
      for waiter in tasks[task].waiters { actions.append(.blocked(waiter: waiter.id, blockage(of: task)!)) }
      tasks[task].waiters = []
    }
  }

  /// How long others than those who wait have to take what fills the buffer; nil: as long as it takes.
  private func patience(withThoseWho waiting: Set<Int>) -> Patience? {
    var patience = Patience.none
    for task in tasks where task.isOutput && !task.cells.isEmpty {
      if task.loops.values.contains(where: { !waiting.contains($0) }) { return nil }
      if let caller = task.caller {
        if !waiting.contains(caller) { patience = .toComeAgain }
      } else if task.loops.isEmpty {
        patience = max(patience, .toBegin)
      }
    }
    return patience
  }

  /// Why nothing comes of the output now, if only who takes from others can help.
  package func blockage(of task: Int) -> Blockage? {
    guard isAtStandstill, !isOver(task) else { return nil }
    return Blockage(output: task, index: tasks[task].next, buffer: buffer, full: fullOutputs)
  }

  /// The outputs that hold results, the one to take from first in front.
  private var fullOutputs: [Blockage.Full] {
    tasks.indices
      .filter { tasks[$0].isOutput && !tasks[$0].cells.isEmpty }
      .map { Blockage.Full(output: $0, results: tasks[$0].cells.count, first: tasks[$0].cells.keys.min()!) }
      .sorted { ($0.first, $0.output) < ($1.first, $1.output) }
  }
}

/// Why a result cannot come: the buffer is full with those of other outputs.
package struct Blockage: Hashable, Sendable, CustomStringConvertible {
  /// An output that holds results which nobody has taken.
  package struct Full: Hashable, Sendable {
    package let output: Int
    package let results: Int
    /// The first of them.
    package let first: Int
  }

  package let output: Int
  package let index: Int
  package let buffer: Int
  /// Those that fill it, the one to take from first in front.
  package let full: [Full]

  package var description: String {
    let others = full.map { "\($0.results) of output \($0.output) (from result \($0.first) on)" }
    return
      "result \(index) of output \(output) cannot come: the buffer of \(buffer) is full with \(others.joined(separator: " and ")). "
      + "Take from output \(full.first?.output ?? output) first: begin the next stride of an output only when this stride of all outputs "
      + "is taken; or give a larger buffer"
  }
}
