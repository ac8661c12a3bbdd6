import Logging
import MillraceIPC

/// The storage of a strided map: the machine behind a lock, the tasks' values, the pool, and who waits.
///
/// ```
///   consumer ──next──┐                          ┌── consumers: resumed after the lock
///   input ──pulled───┤  step { machine }        ├── inputs: read after the lock
///   pool ──finished──┤  (one lock) ── line ─────┤── pool: gets what is first in line, through the tasks' feeds
///   clock ───────────┘                          └── values: let go of after the lock
/// ```
///
/// Every task is a map on the pool, fed item by item. The pool would run tasklets of several maps in any order; so no more are
/// there than can run, and the others wait in line, in the order of their submission.
final class StridedRun: Sendable {
  private struct State {
    var machine: StrideMachine
    var tasks: [StridedTask] = []
    var hasBegun = false
    /// The level of its tasks in the pool.
    var level = 0
    /// The tasks of those tasklets that the pool has not got yet.
    var line = FIFO<Int>()
    var inPool = 0
    var trace: [StridedTasklet] = []
    /// Why it is over for everyone.
    var end: (any Error)?
    var lastWaiter: UInt64 = 0
    var lastLoop: UInt64 = 0
    /// The standstill that is to be looked at again, and when.
    var grace: (standstill: Int, deadline: ContinuousClock.Instant)?
    /// What looks at it, then or before.
    var timer: (deadline: ContinuousClock.Instant, task: Task<Void, Never>)?
    /// Tasks of ours: those that run the tasklets.
    var pumps: [Task<Void, Never>] = []
  }

  /// What is to be done once the lock is released.
  private struct Effects {
    var resumptions: [() -> Void] = []
    var wakes: [UnsafeContinuation<Void, Never>] = []
    var pull: StridedTask?
    var leaves: [any StridedReading] = []
    var cancelled: [Task<Void, Never>] = []
    var garbage: [Any] = []
  }

  /// How long somebody may take to begin with an output, or to come again to it.
  private static func time(for patience: StrideMachine.Patience) -> Duration {
    switch patience {
    case .none: .zero
    case .toBegin: .seconds(1)
    case .toComeAgain: .seconds(60)
    }
  }

  let pool: WorkerPool
  private let isTraced: Bool
  private let state: Lock<State>

  init(on pool: WorkerPool, _ machine: StrideMachine, isTraced: Bool) {
    self.pool = pool
    self.isTraced = isTraced
    state = Lock(State(machine: machine))
  }

  var trace: [StridedTasklet] { state.withLock { $0.trace } }

  // MARK: Tasks

  /// Adds a task, made for the position that it gets.
  func add<Record: StridedTask>(_ source: StrideMachine.Source, _ make: (Int) -> Record) throws -> Record {
    try state.withLock { state in
      guard !state.hasBegun else {
        throw StridedMapError(.hasBegun, "this map has begun: add all tasks before the first result is asked for")
      }
      let task = make(state.machine.add(source))
      state.tasks.append(task)
      return task
    }
  }

  /// Begins, if it has not. The context of its items is that of who begins it.
  func start() throws {
    try pool.core.expectOwnProcess()
    let hasStarted = try state.withLock { state in
      if state.hasBegun || state.end != nil { return true }
      let smallest = state.machine.smallestBuffer
      guard state.machine.buffer >= smallest else {
        throw InvalidOption(
          name: "buffer", value: state.machine.buffer,
          allowed: "at least \(smallest) with these tasks and a stride of \(state.machine.stride)")
      }
      state.hasBegun = true
      state.level = Nesting.level(in: pool.core)
      return false
    }
    if hasStarted { return }
    let tasks = state.withLock { $0.tasks }
    var ours: [Task<Void, Never>] = []
    do {
      for task in tasks { if let reading = try task.reader?.start(self, task.position) { ours.append(reading) } }
    } catch {
      end(error)
      throw error
    }
    ours += tasks.map { task in Task(executorPreference: LaneThread.ofFork) { await self.pump(task) } }
    step { state, effects in
      if state.end == nil { state.pumps = ours } else { effects.cancelled += ours }
      state.machine.start()
    }
  }

  /// Whether this is the process that the map is in. What cannot throw has its refusal in the log.
  func isHere(_ call: String) -> Bool {
    guard (try? pool.core.expectOwnProcess()) == nil else { return true }
    (WorkerContext.current?.logger ?? pool.logger).warning(
      "\(call) of a strided map has done nothing: the map belongs to the program, and this is one of its worker processes, which has a copy of it"
    )
    return false
  }

  /// Throws in an item for whose slot its tasks may wait.
  private func expectReach() throws {
    guard Nesting.level(in: pool.core) > state.withLock({ $0.level }) else { return }
    throw WorkerPoolError(
      .calledFromItem,
      "this strided map was begun outside of the item that takes from it here, and may need that item's slot: take from it outside, or begin it in the item"
    )
  }

  private func pump(_ task: StridedTask) async {
    do {
      try await task.pump(self)
      guard state.withLock({ !$0.tasks[task.position].isExhausted && $0.end == nil }) else { return }
      end(WorkerPoolError(.closed, "the pool was shut down before the strided map had ended"))
    } catch {
      end(error)
    }
  }

  // MARK: What consumers want

  /// The next result of an output; nil at its end.
  func next<Output>(
    _ task: StridedResults<Output>, within limit: Duration?, taker: Int, loop: UInt64?
  ) async throws -> Result<Output, ItemFailure>? {
    try start()
    try expectReach()
    let waiter = state.withLock { state in
      state.lastWaiter += 1
      return state.lastWaiter
    }
    var timer: Task<Void, Never>?
    defer { timer?.cancel() }
    return try await withTaskCancellationHandler {
      try await withUnsafeThrowingContinuation { answer in
        step { state, effects in
          if let end = state.end { return effects.resumptions.append { answer.resume(throwing: end) } }
          if Task.isCancelled { return effects.resumptions.append { answer.resume(throwing: CancellationError()) } }
          if !state.machine.isOutput(task.position) {
            let error = StridedMapError(
              .isInput, "output \(task.position) is the input of another task: take from that one's output instead")
            return effects.resumptions.append { answer.resume(throwing: error) }
          }
          task.waits(waiter, answer)
          state.machine.next(task.position, waiter: waiter, taker: taker, loop: loop)
        }
        timer = limit.map { limit in
          Task(executorPreference: LaneThread.ofFork) {
            try? await Task.sleep(nanoseconds: limit.nanoseconds)
            if !Task.isCancelled { self.timedOut(task, waiter, limit) }
          }
        }
      }
    } onCancel: {
      step { state, effects in
        guard let refusal = task.refuse(waiter, CancellationError()) else { return }
        effects.resumptions.append(refusal)
        state.machine.gaveUp(task.position, waiter: waiter)
      }
    }
  }

  private func timedOut(_ task: StridedTask, _ waiter: UInt64, _ limit: Duration) {
    step { state, effects in
      let blockage = state.machine.blockage(of: task.position)
      let why = blockage.map { ": \($0)" } ?? ""
      let error = StridedMapError(
        .nextTimedOut, "no result of output \(task.position) within \(limit)\(why)",
        output: blockage?.full.first?.output)
      guard let refusal = task.refuse(waiter, error) else { return }
      effects.resumptions.append(refusal)
      state.machine.timedOut(task.position, waiter: waiter)
    }
  }

  /// The number of a loop that begins.
  func newLoop() -> UInt64 {
    state.withLock { state in
      state.lastLoop += 1
      return state.lastLoop
    }
  }

  /// A loop over the output was left.
  func left(_ task: StridedTask, loop: UInt64) { step { state, _ in state.machine.left(task.position, loop: loop) } }

  func stop() { step { state, _ in state.machine.stop() } }

  /// Ends it for everyone: what was read is given up.
  func end(_ error: any Error) {
    step { state, effects in
      guard state.end == nil else { return }
      state.end = error
      for task in state.tasks {
        effects.garbage += task.clear()
        task.isExhausted = true
        if let waiter = task.feedWaiter.take() { effects.wakes.append(waiter) }
        for waiter in task.waiting {
          if let refusal = task.refuse(waiter, error) { effects.resumptions.append(refusal) }
        }
        if let reader = task.reader { effects.leaves.append(reader) }
      }
      effects.cancelled = state.pumps
      if let timer = state.timer.take() { effects.cancelled.append(timer.task) }
      state.pumps = []
    }
  }

  // MARK: News of inputs and of the pool

  func pulled(_ position: Int, ended: Bool, _ error: (any Error)? = nil) {
    step { state, effects in
      // A read that was left may end by that, and nobody wants to know.
      if !state.machine.hasEnded(position) { state.tasks[position].inputError = error }
      guard state.end == nil else {
        if let item = state.tasks[position].reader?.discard() { effects.garbage.append(item) }
        return
      }
      state.machine.pulled(position, ended: ended)
    }
  }

  /// - Parameter item: which of the task's items it was, if not the outcome's index.
  func finished<W: Worker>(_ job: StridedJob<W>, _ outcome: Outcome<W.Input, W.Output>, item: Int? = nil) {
    step { state, effects in
      state.inPool -= 1
      job.inPool -= 1
      guard state.end == nil, let index = job.tasklet(of: item ?? outcome.index) else { return }
      var result = outcome.result
      if case .failure(var failure) = result {
        failure.index = index
        failure.input = nil
        result = .failure(failure)
      }
      job.finished(index, result)
      let hasFailed = if case .failure = result { true } else { false }
      state.machine.finished(job.position, index, failed: hasFailed)
    }
  }

  /// The next input that the pool may have of the task; nil when there will be no more.
  func nextInput<W: Worker>(of job: StridedJob<W>) async -> W.Input? {
    while !Task.isCancelled {
      let (input, isOver) = state.withLock { _ in
        let input = job.takeInput()
        return (input, input == nil && job.isExhausted && job.isDrained)
      }
      if let input { return input }
      if isOver { return nil }
      await withTaskCancellationHandler {
        await withUnsafeContinuation { continuation in
          let waits = state.withLock { _ in
            if job.allowance > 0 || job.isExhausted && job.isDrained || Task.isCancelled { return false }
            job.feedWaiter = continuation
            return true
          }
          if !waits { continuation.resume() }
        }
      } onCancel: {
        state.withLock { _ in job.feedWaiter.take() }?.resume()
      }
    }
    return nil
  }

  // MARK: Stepping

  private func step(_ event: (inout State, inout Effects) -> Void) {
    var resumptions: [() -> Void] = []
    var next = take(event, &resumptions)
    // Inputs in memory are read here, one after the other, so that the stack does not grow with the buffer. Whoever gets a
    // result finds that what it made room for is submitted.
    while let task = next, let reader = task.reader {
      guard reader.isInline else {
        reader.ask(self, task.position)
        break
      }
      let hasItem = reader.read()
      next = take(
        { state, effects in
          guard state.end == nil else {
            if let item = reader.discard() { effects.garbage.append(item) }
            return
          }
          state.machine.pulled(task.position, ended: !hasItem)
        }, &resumptions)
    }
    for resumption in resumptions { resumption() }
  }

  /// Tells the machine something, carries out what it decides, but for what is to be read, and returns that.
  private func take(
    _ event: (inout State, inout Effects) -> Void, _ resumptions: inout [() -> Void]
  ) -> StridedTask? {
    var effects = Effects()
    let width = pool.width
    state.withLock { state in
      var collected = Effects()
      event(&state, &collected)
      route(&state, &collected)
      Self.handOver(&state, width, &collected)
      effects = collected
    }
    Unlocked.expect("what a step of a strided map leads to")
    for waiter in effects.wakes { waiter.resume() }
    resumptions += effects.resumptions
    for task in effects.cancelled { task.cancel() }
    for reader in effects.leaves { reader.leave() }
    return effects.pull
  }

  private func route(_ state: inout State, _ effects: inout Effects) {
    for action in state.machine.takeActions() {
      guard state.end == nil else { return }
      switch action {
      case .pull(let position): effects.pull = state.tasks[position]
      case .leave(let position):
        if let reader = state.tasks[position].reader { effects.leaves.append(reader) }
      case .submit(let position, let index):
        state.tasks[position].submit(index)
        state.line.append(position)
        if isTraced { state.trace.append(StridedTasklet(output: position, index: index)) }
      case .passOn(let position, let index, let source):
        let failure = state.tasks[source].failure(at: index)!
        state.tasks[position].passOn(
          index, UpstreamFailure(output: source, failure: failure), slot: failure.slot, attempt: failure.attempt)
      case .release(let position, let index):
        if let value = state.tasks[position].release(index) { effects.garbage.append(value) }
      case .deliver(let position, let index, let waiter):
        effects.resumptions.append(state.tasks[position].deliver(index, to: waiter))
      case .exhausted(let position):
        let task = state.tasks[position]
        task.isExhausted = true
        if let item = task.reader?.discard() { effects.garbage.append(item) }
        if let waiter = task.feedWaiter.take() { effects.wakes.append(waiter) }
        if let reader = task.reader { effects.leaves.append(reader) }
      case .end(let position, let waiter):
        effects.resumptions.append(state.tasks[position].end(waiter, inputError(position, state)))
      case .blocked(let waiter, let blockage):
        if let refusal = state.tasks[blockage.output].refuse(waiter, StridedMapError(blockage)) {
          effects.resumptions.append(refusal)
        }
      case .grace(let standstill, let patience):
        let deadline = ContinuousClock.now + Self.time(for: patience)
        state.grace = (standstill, deadline)
        look(at: deadline, &state, &effects)
      }
    }
  }

  /// Looks at the standstill at that time.
  private func look(at deadline: ContinuousClock.Instant, _ state: inout State, _ effects: inout Effects) {
    if let timer = state.timer {
      if timer.deadline <= deadline { return }
      effects.cancelled.append(timer.task)
    }
    let task = Task.detached(executorPreference: LaneThread.ofFork) { [weak self] in
      try? await Task.sleep(nanoseconds: (deadline - ContinuousClock.now).nanoseconds)
      if !Task.isCancelled { self?.graceMayBeOver() }
    }
    state.timer = (deadline, task)
  }

  private func graceMayBeOver() {
    step { state, effects in
      state.timer = nil
      guard let grace = state.grace, state.end == nil, state.machine.awaits(grace.standstill) else { return }
      if grace.deadline > ContinuousClock.now { return look(at: grace.deadline, &state, &effects) }
      state.machine.graceIsOver(grace.standstill)
    }
  }

  /// Of the task's input, or of what that is made of.
  private func inputError(_ position: Int, _ state: State) -> (any Error)? {
    if let error = state.tasks[position].inputError { return error }
    for source in state.machine.upstream(position) { if let error = inputError(source, state) { return error } }
    return nil
  }

  /// The pool gets those tasklets that are first in line, as many as it can run at once, and behind them as many of the same task.
  private static func handOver(_ state: inout State, _ width: Int, _ effects: inout Effects) {
    while let position = state.line.first {
      let task = state.tasks[position]
      guard state.inPool < width || state.inPool == task.inPool && state.inPool < 2 * width else { return }
      _ = state.line.popFirst()
      state.inPool += 1
      task.inPool += 1
      task.allowance += 1
      if let waiter = task.feedWaiter.take() { effects.wakes.append(waiter) }
    }
  }
}
