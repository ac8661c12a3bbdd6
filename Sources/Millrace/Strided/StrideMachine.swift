/// The scheduler of a strided map, as a pure state machine: which tasklet is submitted next, who gets which result, and why
/// somebody waits in vain.
///
/// It goes round the tasks in the order in which they were added, `stride` tasklets each, and never past one whose input is
/// not there yet. So the order of submissions depends on nothing but the tasks and their inputs' lengths.
///
/// Events are method calls; what is to be done comes out in `actions`. It has no thread and no clock, and sees no values.
package struct StrideMachine {
  /// Where a task's input comes from.
  package enum Source: Hashable, Sendable {
    case external
    /// The results of other tasks, those of one index together. It ends with the shortest.
    case outputs([Int])
  }

  package enum Action: Hashable, Sendable {
    /// Read one item of the task's external input, and say so with `pulled`.
    case pull(task: Int)
    /// Nobody wants more of the task's external input, though a read is under way.
    case leave(task: Int)
    /// Run the tasklet, and say so with `finished`.
    case submit(task: Int, index: Int)
    /// The result of `source` at this index is a failure: it is the task's result there too, and nothing is run.
    case passOn(task: Int, index: Int, source: Int)
    /// Nobody will ask for the result any more.
    case release(task: Int, index: Int)
    /// Hand the result to the consumer, and let go of it.
    case deliver(task: Int, index: Int, waiter: UInt64)
    /// The task will have no more tasklets.
    case exhausted(task: Int)
    /// The output has ended; says so to the consumer.
    case end(task: Int, waiter: UInt64)
    /// What the consumer waits for cannot come, because of what nobody takes.
    case blocked(waiter: UInt64, Blockage)
    /// It cannot come unless somebody takes from another output of whom nobody knows whether he will: say `graceIsOver` in a while.
    case grace(standstill: Int, Patience)
  }

  /// How long somebody is waited for who may take what fills the buffer.
  package enum Patience: Comparable, Sendable {
    case none
    /// Nobody has taken from the output yet: somebody may begin.
    case toBegin
    /// Somebody has who is in no loop: he may come again, or may be gone.
    case toComeAgain
  }

  enum Result { case running, done, failed }

  struct Cell {
    var result: Result
    /// How many tasks have still to take it.
    var readers: Int
  }

  /// A consumer that waits at an output, the task of the program that it is, and the loop that it is in, if it is in one.
  struct Waiter {
    let id: UInt64
    let taker: Int
    let loop: UInt64?
  }

  struct Task {
    let source: Source
    /// The tasks that it is the input of.
    var readers: [Int] = []
    /// Whether consumers take its results, and not other tasks.
    var isOutput = true
    /// How many tasklets it has had.
    var submitted = 0
    /// Results that are to come or to be taken, by index.
    var cells: [Int: Cell] = [:]
    /// Those of an unordered output that are there, as they finished.
    var finished = FIFO<Int>()
    /// The next result of an ordered output; of an unordered one, how many were taken.
    var next = 0
    /// Running ones that nobody wants any more.
    var skipped: Set<Int> = []
    var hasEnded = false
    var isPulling = false
    var waiters: [Waiter] = []
    /// The loops that have taken from the output and were not left since, and which task of the program was in each last.
    var loops: [UInt64: Int] = [:]
    /// Who has taken from it last without one.
    var caller: Int?
  }

  package let stride: Int
  /// Whether consumers get results in the order of the input. Tasks do always.
  let isOrdered: Bool
  let skipsTimedOut: Bool
  private let givenBuffer: Int?
  var tasks: [Task] = []
  package private(set) var hasStarted = false
  var isStopping = false
  /// Whose turn it is, and how many tasklets it has had in it.
  var turn = 0
  var inTurn = 0
  /// How many results are to come or to be taken, of all tasks together.
  package var inside = 0
  /// How many tasklets run.
  var running = 0
  /// The standstill for which a grace was asked, and of what kind.
  var standstill: (number: Int, patience: Patience)?
  var standstills = 0
  package var actions: [Action] = []

  /// - Parameter buffer: how many results may be to come or to be taken; nil: a stride of each task.
  package init(stride: Int, buffer: Int? = nil, isOrdered: Bool = true, skipsTimedOut: Bool = false) {
    self.stride = stride
    givenBuffer = buffer
    self.isOrdered = isOrdered
    self.skipsTimedOut = skipsTimedOut
  }

  package var buffer: Int { givenBuffer ?? max(1, tasks.count) * stride }

  /// Whether consumers take the task's results, and not other tasks.
  package func isOutput(_ task: Int) -> Bool { tasks[task].isOutput }

  /// The smallest buffer that the tasks can go on with: what is still to be taken by a task whose turn comes later has its room
  /// while a task reads its stride.
  package var smallestBuffer: Int {
    var smallest = stride
    for task in tasks.indices where tasks[task].source == .external {
      let held = tasks[..<task].filter { $0.readers.contains { $0 > task } }.count
      smallest = max(smallest, held * stride + (tasks[task].isOutput ? 1 : stride))
    }
    return smallest
  }

  package mutating func takeActions() -> [Action] {
    defer { actions = [] }
    return actions
  }

  // MARK: Events

  /// Adds a task; before the start, and after those whose outputs are its input.
  package mutating func add(_ source: Source) -> Int {
    precondition(!hasStarted)
    let task = tasks.count
    tasks.append(Task(source: source))
    for up in upstream(task) {
      tasks[up].readers.append(task)
      tasks[up].isOutput = false
    }
    return task
  }

  package mutating func start() {
    hasStarted = true
    advance()
  }

  /// An item of the task's external input has come, or its end.
  package mutating func pulled(_ task: Int, ended: Bool) {
    guard tasks[task].isPulling else { return }
    tasks[task].isPulling = false
    if !ended, !isUnwanted(task) { submit(task) }
    if tasks[task].hasEnded {
      actions.append(.exhausted(task: task))
    } else if ended {
      close(task)
    }
    advance()
  }

  package mutating func finished(_ task: Int, _ index: Int, failed: Bool) {
    guard tasks[task].cells[index]?.result == .running else { return }
    running -= 1
    tasks[task].cells[index]!.result = failed ? .failed : .done
    settle(task, index)
    advance()
  }

  /// A consumer asks for the next result of an output.
  package mutating func next(_ task: Int, waiter: UInt64, taker: Int, loop: UInt64? = nil) {
    tasks[task].waiters.append(Waiter(id: waiter, taker: taker, loop: loop))
    serve(task)
    advance()
  }

  /// A consumer does not wait any more.
  package mutating func gaveUp(_ task: Int, waiter: UInt64) {
    tasks[task].waiters.removeAll { $0.id == waiter }
    advance()
  }

  /// A consumer does not wait any more, for its patience is over. Where that is asked for, the result is given up.
  package mutating func timedOut(_ task: Int, waiter: UInt64) {
    guard tasks[task].waiters.contains(where: { $0.id == waiter }) else { return }
    let index = tasks[task].next
    if skipsTimedOut, isOrdered, tasks[task].cells[index]?.result == .running {
      tasks[task].skipped.insert(index)
      tasks[task].next += 1
    }
    tasks[task].waiters.removeAll { $0.id == waiter }
    // What comes behind it may be there, and somebody else wait for that.
    serve(task)
    advance()
  }

  /// The loop over the output was left.
  package mutating func left(_ task: Int, loop: UInt64) {
    guard tasks[task].loops.removeValue(forKey: loop) != nil else { return }
    advance()
  }

  /// Reads no further than to the end of the round of strides that has begun.
  package mutating func stop() {
    isStopping = true
    advance()
  }

  package mutating func graceIsOver(_ standstill: Int) {
    guard let due = self.standstill, due.number == standstill else { return }
    // Who waits after this has a grace of his own.
    self.standstill = nil
    diagnose(after: due.patience)
  }

  /// Whether the grace still counts.
  package func awaits(_ standstill: Int) -> Bool { self.standstill?.number == standstill }

  /// Whether no more of the task's external input is wanted.
  package func hasEnded(_ task: Int) -> Bool { tasks[task].hasEnded }
}
