import Millrace

/// What a ``StrideMachine`` promises, counted by somebody else: each action is entered, and what breaks a promise is thrown.
struct StrideLedger {
  struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  enum Result { case running, done, failed }

  struct Task {
    /// Results that are to come or to be taken.
    var results: [Int: Result] = [:]
    /// How far it was submitted, and for an output, how far it was taken.
    var submitted = 0
    var taken = 0
    /// Those of an unordered output that are there, as they finished.
    var finished: [Int] = []
    var skipped: Set<Int> = []
    /// Which of them are failures.
    var failed: Set<Int> = []
    var pulled = 0
    var isPulling = false
    var isInputOver = false
    var isExhausted = false
  }

  let plan: StridePlan
  let buffer: Int
  var tasks: [Task]
  var hasStopped = false
  /// The last tasklet that was submitted: the round of strides, the task, the index.
  private var last = (round: -1, task: 0, index: 0)

  init(_ plan: StridePlan, buffer: Int) {
    self.plan = plan
    self.buffer = buffer
    tasks = Array(repeating: Task(), count: plan.sources.count)
  }

  var inside: Int { tasks.reduce(0) { $0 + $1.results.count } }
  var running: Int { tasks.reduce(0) { $0 + $1.results.values.filter { $0 == .running }.count } }
  var isPulling: Bool { tasks.contains(where: \.isPulling) }

  /// Those who took the results of a task share the room, and nobody else makes more than there is.
  private var bound: Int {
    let shared = tasks.indices.map { max(0, plan.readers($0).count - 1) }.reduce(0, +)
    return buffer + shared * plan.stride
  }

  mutating func pull(_ task: Int) throws {
    guard !isPulling else { throw Broken("two inputs are read at once") }
    guard !tasks[task].isInputOver else { throw Broken("task \(task) reads on behind the end of its input") }
    guard inside < buffer else { throw Broken("task \(task) reads, and there is no room") }
    tasks[task].isPulling = true
  }

  mutating func pulled(_ task: Int, ended: Bool) {
    tasks[task].isPulling = false
    if ended { tasks[task].isInputOver = true } else { tasks[task].pulled += 1 }
  }

  mutating func submit(_ task: Int, _ index: Int, isFailure: Bool) throws {
    guard index == tasks[task].submitted, !tasks[task].isExhausted else {
      throw Broken("task \(task) has submitted \(tasks[task].submitted), and then \(index)")
    }
    let round = index / plan.stride
    guard (last.round, last.task, last.index) < (round, task, index) else {
      throw Broken("tasklet \(index) of task \(task) comes after \(last.index) of task \(last.task)")
    }
    last = (round, task, index)
    let upstream = plan.upstream(task)
    if upstream.isEmpty {
      guard tasks[task].pulled == index + 1 else { throw Broken("task \(task) has no item for \(index)") }
    }
    let results = try upstream.map { up in
      guard let result = tasks[up].results[index], result != .running else {
        throw Broken("task \(task) takes result \(index) of task \(up), which is not there")
      }
      return result
    }
    guard results.contains(.failed) == isFailure else {
      throw Broken("task \(task) does not see what came before \(index)")
    }
    tasks[task].submitted += 1
    tasks[task].results[index] = isFailure ? .failed : .running
    if isFailure { note(task, index, failed: true) }
    guard inside - upstream.count <= bound else { throw Broken("\(inside) results are in a buffer of \(buffer)") }
  }

  mutating func finished(_ task: Int, _ index: Int, failed: Bool) {
    tasks[task].results[index] = failed ? .failed : .done
    note(task, index, failed: failed)
  }

  private mutating func note(_ task: Int, _ index: Int, failed: Bool) {
    if !tasks[task].skipped.contains(index) { tasks[task].finished.append(index) }
    if failed { tasks[task].failed.insert(index) }
  }

  mutating func release(_ task: Int, _ index: Int) throws {
    guard let result = tasks[task].results.removeValue(forKey: index), result != .running else {
      throw Broken("result \(index) of task \(task) is let go of, and is not there")
    }
    let isTaken =
      plan.readers(task).isEmpty
      ? tasks[task].skipped.contains(index)
      : plan.readers(task).allSatisfy { tasks[$0].submitted > index || tasks[$0].isExhausted }
    guard isTaken else { throw Broken("result \(index) of task \(task) is let go of before all have it") }
  }

  mutating func deliver(_ task: Int, _ index: Int) throws {
    guard plan.readers(task).isEmpty else { throw Broken("task \(task) is no output") }
    guard let result = tasks[task].results.removeValue(forKey: index), result != .running else {
      throw Broken("result \(index) of output \(task) is delivered, and is not there")
    }
    if plan.isOrdered {
      while tasks[task].skipped.contains(tasks[task].taken) { tasks[task].taken += 1 }
      guard index == tasks[task].taken else { throw Broken("output \(task) gives \(index) for \(tasks[task].taken)") }
    } else {
      guard tasks[task].finished.first == index else { throw Broken("output \(task) gives \(index) out of its turn") }
    }
    tasks[task].finished.removeAll { $0 == index }
    tasks[task].taken += 1
  }

  mutating func exhausted(_ task: Int) throws {
    guard !tasks[task].isExhausted else { throw Broken("task \(task) is exhausted twice") }
    tasks[task].isExhausted = true
    let isUnwanted = !plan.readers(task).isEmpty && plan.readers(task).allSatisfy { tasks[$0].isExhausted }
    if plan.upstream(task).isEmpty {
      guard tasks[task].isInputOver || hasStopped || isUnwanted else { throw Broken("task \(task) leaves its input") }
      guard tasks[task].pulled == tasks[task].submitted || isUnwanted else {
        throw Broken("task \(task) loses an item")
      }
    } else if !isUnwanted {
      // As far as the shortest of its inputs.
      let shortest = plan.upstream(task).filter { tasks[$0].isExhausted }.map { tasks[$0].submitted }.min()
      guard shortest == tasks[task].submitted else { throw Broken("task \(task) loses what came before it") }
    }
  }

  func ended(_ task: Int) throws {
    let left = tasks[task].results.keys.filter { !tasks[task].skipped.contains($0) }
    guard tasks[task].isExhausted, left.isEmpty else { throw Broken("output \(task) ends before its end") }
  }

  /// After each event: the room that there is is used, and nobody waits for what is there.
  func check(waiting: [Int]) throws {
    if running == 0, !isPulling, inside < buffer, tasks.contains(where: { !$0.isExhausted }) {
      throw Broken("nothing happens, though \(inside) results are in a buffer of \(buffer)")
    }
    for task in waiting {
      let isReady =
        plan.isOrdered
        ? tasks[task].results[tasks[task].submitted == 0 ? 0 : nextInOrder(task)].map { $0 != .running } ?? false
        : !tasks[task].finished.isEmpty
      if isReady { throw Broken("somebody waits for a result of output \(task) that is there") }
      if tasks[task].isExhausted, tasks[task].results.keys.allSatisfy(tasks[task].skipped.contains) {
        throw Broken("somebody waits for more of output \(task), which has ended")
      }
    }
  }

  func nextInOrder(_ task: Int) -> Int {
    var next = tasks[task].taken
    while tasks[task].skipped.contains(next) { next += 1 }
    return next
  }

  /// When all is over: nothing is left, and every task has had what its inputs had.
  func checkEnd() throws {
    guard inside == 0 else { throw Broken("\(inside) results are left") }
    let externals = tasks.indices.filter { plan.sources[$0] == .external }
    for task in externals where !hasStopped && plan.readers(task).isEmpty {
      guard tasks[task].submitted == plan.lengths[task] else {
        throw Broken("task \(task) has not read its input to the end")
      }
    }
    guard hasStopped else { return }
    // All that did not come to their own end stopped at the same boundary, but for an item that was on its way.
    let cut = externals.filter { !tasks[$0].isInputOver && plan.readers($0).isEmpty }.map { tasks[$0].submitted }
    guard let least = cut.min(), let most = cut.max() else { return }
    guard most <= least / plan.stride * plan.stride + 1 else {
      throw Broken("the inputs were left at \(cut), with a stride of \(plan.stride)")
    }
  }
}
