// The rules: whose turn it is, and what becomes of a result.

extension StrideMachine {
  /// Submits what may be submitted: strictly in turn.
  mutating func advance() {
    guard hasStarted else { return }
    var passed = 0
    while passed < tasks.count {
      if isStopping, turn == 0, inTurn == 0 { endInputs() }
      if tasks[turn].isPulling { break }
      if isInputOver(turn) {
        close(turn)
        passTurn()
        passed += 1
      } else if tasks[turn].source == .external {
        if inside < buffer {
          tasks[turn].isPulling = true
          actions.append(.pull(task: turn))
        }
        break
      } else {
        // Taking its input makes the room that the tasklet needs.
        guard upstream(turn).allSatisfy({ isThere($0, tasks[turn].submitted) }) else { break }
        takeInput(turn)
        passed = 0
      }
    }
    for task in tasks.indices where tasks[task].isOutput { endIfOver(task) }
    diagnose(after: .none)
  }

  private mutating func passTurn() {
    inTurn = 0
    turn = (turn + 1) % tasks.count
  }

  /// All tasks have had as many strides as each other: this is where a map stops.
  private mutating func endInputs() {
    for task in tasks.indices where tasks[task].source == .external && !tasks[task].hasEnded { close(task) }
  }

  // MARK: Input

  func upstream(_ task: Int) -> [Int] {
    if case .outputs(let sources) = tasks[task].source { sources } else { [] }
  }

  private func isThere(_ task: Int, _ index: Int) -> Bool {
    guard let cell = tasks[task].cells[index] else { return false }
    return cell.result != .running
  }

  private func isInputOver(_ task: Int) -> Bool {
    tasks[task].hasEnded
      || upstream(task).contains {
        tasks[$0].hasEnded && !tasks[$0].isPulling && tasks[task].submitted >= tasks[$0].submitted
      }
  }

  private mutating func takeInput(_ task: Int) {
    let index = tasks[task].submitted
    if let failed = upstream(task).first(where: { tasks[$0].cells[index]!.result == .failed }) {
      // The failure takes its place, so that what belongs together stays together.
      actions.append(.passOn(task: task, index: index, source: failed))
      release(index, of: upstream(task))
      begin(task, .failed)
      settle(task, index)
    } else {
      submit(task)
      release(index, of: upstream(task))
    }
  }

  mutating func submit(_ task: Int) {
    actions.append(.submit(task: task, index: tasks[task].submitted))
    running += 1
    begin(task, .running)
  }

  private mutating func begin(_ task: Int, _ result: Result) {
    tasks[task].cells[tasks[task].submitted] = Cell(result: result, readers: tasks[task].readers.count)
    tasks[task].submitted += 1
    inside += 1
    standstill = nil
    inTurn += 1
    if inTurn >= stride { passTurn() }
  }

  /// The task has had its last tasklet: those whose results it took, and nobody else does, have as well.
  mutating func close(_ task: Int) {
    guard !tasks[task].hasEnded else { return }
    tasks[task].hasEnded = true
    // What a read that is under way brings is not lost.
    actions.append(tasks[task].isPulling ? .leave(task: task) : .exhausted(task: task))
    for up in upstream(task) {
      tasks[up].readers.removeAll { $0 == task }
      for index in tasks[task].submitted..<max(tasks[task].submitted, tasks[up].submitted) { release(index, of: [up]) }
      if tasks[up].readers.isEmpty { close(up) }
    }
  }

  /// Whether all who took its results have ended before it.
  func isUnwanted(_ task: Int) -> Bool { !tasks[task].isOutput && tasks[task].readers.isEmpty }

  // MARK: Results

  /// A task has taken the results, or will not.
  private mutating func release(_ index: Int, of sources: [Int]) {
    for source in sources {
      tasks[source].cells[index]?.readers -= 1
      dropIfUnwanted(source, index)
    }
  }

  private mutating func dropIfUnwanted(_ task: Int, _ index: Int) {
    guard let cell = tasks[task].cells[index], cell.result != .running, cell.readers == 0 else { return }
    remove(task, index)
    actions.append(.release(task: task, index: index))
  }

  private mutating func remove(_ task: Int, _ index: Int) {
    tasks[task].cells[index] = nil
    inside -= 1
    standstill = nil
  }

  /// A result is there.
  mutating func settle(_ task: Int, _ index: Int) {
    if !tasks[task].isOutput { return dropIfUnwanted(task, index) }
    if tasks[task].skipped.remove(index) != nil {
      remove(task, index)
      actions.append(.release(task: task, index: index))
    } else {
      if !isOrdered { tasks[task].finished.append(index) }
      serve(task)
    }
  }

  /// Gives consumers that wait what is there.
  mutating func serve(_ task: Int) {
    while let waiter = tasks[task].waiters.first {
      let index: Int
      if isOrdered {
        index = tasks[task].next
        guard isThere(task, index) else { return }
      } else {
        guard let first = tasks[task].finished.popFirst() else { return }
        index = first
      }
      tasks[task].waiters.removeFirst()
      tasks[task].next += 1
      remove(task, index)
      if let loop = waiter.loop { tasks[task].loops[loop] = waiter.taker } else { tasks[task].caller = waiter.taker }
      actions.append(.deliver(task: task, index: index, waiter: waiter.id))
    }
  }

  func isOver(_ task: Int) -> Bool {
    tasks[task].hasEnded && !tasks[task].isPulling && tasks[task].cells.count == tasks[task].skipped.count
  }

  private mutating func endIfOver(_ task: Int) {
    guard isOver(task) else { return }
    for waiter in tasks[task].waiters { actions.append(.end(task: task, waiter: waiter.id)) }
    tasks[task].waiters = []
  }
}
