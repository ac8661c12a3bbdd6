import CMillrace
import MillraceIPC
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The threads of the program that help in parallel calls, and run the asynchronous ones.
///
/// One crew serves the whole program, so that calls inside calls, and calls side by side, share the CPUs instead of multiplying threads:
///
/// - A synchronous call runs in its caller. Members join if they are idle, and if fewer threads are busy than there are CPUs. If none
///   joins, the caller does it all.
/// - A width that the user has given is granted: threads are started for it if need be, and join whatever else is going on.
///   That is for work that waits. It holds for outermost calls only; calls inside of calls never add to the crowd.
/// - A caller that has run out of work waits for the members inside its call to finish their last pieces. If such a piece
///   has begun a parallel call of its own, the waiting thread helps there. It helps nowhere else, so it can only
///   wait for threads deeper inside its own call, and no circle of waiting threads can form.
/// - An asynchronous call is a *root*: a member runs it as a synchronous caller would, and resumes the awaiting task.
///
/// Threads are started when first asked for and then kept; an idle one sleeps in ``CrewMember/waitForWork()``, whom others wake one at a time.
/// All decisions are made under one lock, which is taken when a thread joins or leaves a call, never for a piece of work.
final class Crew: Sendable {
  private struct State {
    var threads = 0
    /// Threads that run user code for the crew, callers included.
    var busy = 0
    var sleepers: [Sleeper] = []
    var open: [ParallelJob] = []
    var roots = RootQueue()
  }

  /// A thread that waits: one of the crew for anything, or a caller for what descends from its call.
  private struct Sleeper {
    var member: CrewMember
    var within: ParallelJob?
  }

  /// CPUs that the program may use, as they were when the crew began.
  let cpus = WorkerPool.usableCPUs
  private let state = Lock(State())

  /// More threads than these are not started, whatever width is asked for.
  static let maximumThreads = 1024

  // MARK: The program's crew

  // A pointer and not a lazy global: a forked child inherits the crew's books, but none of its threads, and needs a
  // new one. The old one is left alone (its lock may have been held).
  private static let address = Atomic<UInt>(0)
  private static let watchesForks: Void = {
    pthread_atfork(nil, nil, { Crew.address.store(0, ordering: .relaxed) })
  }()

  static var shared: Crew {
    if let crew = at(address.load(ordering: .acquiring)) { return crew }
    _ = watchesForks
    let crew = Unmanaged.passRetained(Crew())
    let (exchanged, original) = address.compareExchange(
      expected: 0, desired: UInt(bitPattern: crew.toOpaque()), ordering: .acquiringAndReleasing)
    if exchanged { return crew.takeUnretainedValue() }
    crew.release()
    return at(original) ?? Self.shared
  }

  private static func at(_ address: UInt) -> Crew? {
    UnsafeRawPointer(bitPattern: address).map { Unmanaged<Crew>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Synchronous calls

  /// Begins `job`, whose lane 0 is the caller's, and calls for help.
  func open(_ job: ParallelJob, by caller: CrewMember) {
    let helper = state.withLock { state -> CrewMember? in
      job.admission.freeLanes.removeLast()
      job.admission.isOpen = true
      job.present.store(1, ordering: .relaxed)
      job.admission.isCallerCrew = caller.isCrew
      state.open.append(job)
      enter(caller, &state)
      if job.width > 1 {
        let wanted = threadsWanted(&state)
        while state.threads < wanted, addThread() { state.threads += 1 }
      }
      return sleeperToWake(&state)
    }
    helper?.wake()
  }

  /// Leaves `job`, helping inside it as long as others are busy there, and ends it.
  func close(_ job: ParallelJob, by caller: CrewMember) {
    enum Next {
      case done
      case help(ParallelJob, lane: Int)
      case wait
    }
    leave(job, lane: 0, as: caller)
    spin(while: job)
    var isAsleep = false
    while true {
      let (next, helper) = state.withLock { state -> (Next, CrewMember?) in
        if isAsleep {
          state.sleepers.removeAll { $0.member === caller }
          if caller.depth > 0 && !job.admission.isWaiterCounted { state.busy += 1 }
          job.admission.waiter = nil
          job.admission.isWaiterCounted = false
          isAsleep = false
        }
        if job.present.load(ordering: .relaxed) == 0 {
          job.admission.isOpen = false
          state.open.removeAll { $0 === job }
          return (.done, nil)
        }
        if let (other, lane) = admit(within: job, &state) {
          enter(caller, &state)
          return (.help(other, lane: lane), sleeperToWake(&state))
        }
        // A nested caller is busy with its outer call, but not while it sleeps: its CPU is free for somebody else.
        if caller.depth > 0 { state.busy -= 1 }
        isAsleep = true
        let helper = sleeperToWake(&state)
        job.admission.waiter = caller
        state.sleepers.append(Sleeper(member: caller, within: job))
        return (.wait, helper)
      }
      helper?.wake()
      switch next {
      case .done: return
      case .help(let other, let lane):
        work(other, lane: lane, as: caller)
        leave(other, lane: lane, as: caller)
      case .wait: caller.waitForWork()
      }
    }
  }

  /// The others are most often a few microseconds from their ends, and a sleep and a wake-up cost 25 µs or more.
  private func spin(while job: ParallelJob) {
    for _ in 0..<400 where job.present.load(ordering: .acquiring) > 0 { millrace_spin_hint() }
  }

  // MARK: Members

  private func work(_ job: ParallelJob, lane: Int, as member: CrewMember) {
    let outer = member.job
    member.job = job
    job.work(lane: lane)
    member.job = outer
  }

  /// Gives a lane back, and wakes whom that concerns: the caller if this was the last, or somebody whom a CPU is free for now.
  private func leave(_ job: ParallelJob, lane: Int, as member: CrewMember) {
    let (waiter, helper) = state.withLock { state -> (CrewMember?, CrewMember?) in
      job.admission.freeLanes.append(lane)
      let isLast = job.present.subtract(1, ordering: .sequentiallyConsistent).newValue == 0
      exit(member, &state)
      let waiter = isLast ? job.admission.waiter : nil
      if let waiter, waiter.depth > 0, !job.admission.isWaiterCounted {
        // Its CPU goes over to it here, or somebody else would take it before it is awake.
        state.busy += 1
        job.admission.isWaiterCounted = true
      }
      return (waiter, sleeperToWake(&state))
    }
    waiter?.wake()
    helper?.wake()
  }

  /// There is work that one more thread could share.
  func invite() {
    state.withLock { sleeperToWake(&$0) }?.wake()
  }

  /// The life of a thread of the crew.
  private func serve() {
    enum Next {
      case root(RootQueue.Root)
      case help(ParallelJob, lane: Int)
      case wait
    }
    let member = CrewMember.current
    member.isCrew = true
    while true {
      let (next, helper) = state.withLock { state -> (Next, CrewMember?) in
        state.sleepers.removeAll { $0.member === member }
        if let root = state.roots.popFirst() {
          enter(member, &state)
          return (.root(root), nil)
        }
        if let (job, lane) = admit(within: nil, &state) {
          enter(member, &state)
          // Whoever joins calls the next, as long as there is something to share.
          return (.help(job, lane: lane), sleeperToWake(&state))
        }
        state.sleepers.append(Sleeper(member: member, within: nil))
        return (.wait, nil)
      }
      helper?.wake()
      switch next {
      case .root(let root):
        root()
        let helper = state.withLock { state -> CrewMember? in
          exit(member, &state)
          return sleeperToWake(&state)
        }
        helper?.wake()
      case .help(let job, let lane):
        work(job, lane: lane, as: member)
        leave(job, lane: lane, as: member)
      case .wait: member.waitForWork()
      }
    }
  }

  // MARK: Roots

  /// Runs `root` soon, on a thread of the crew.
  ///
  /// - Parameter isGranted: whether a thread may be started for it though there are as many as CPUs.
  func enqueue(isGranted: Bool = false, _ root: @escaping RootQueue.Root) {
    enum Next {
      case wake(CrewMember)
      case rely
      case runHere
    }
    let next = state.withLock { state -> Next in
      if let index = state.sleepers.lastIndex(where: { $0.within == nil }) {
        state.roots.append(root)
        return .wake(state.sleepers.remove(at: index).member)
      }
      if state.threads < (isGranted ? Self.maximumThreads : cpus), addThread() { state.threads += 1 }
      // Without a single thread nobody would ever come; a blocked caller is better than one that waits for ever.
      if state.threads == 0 { return .runHere }
      state.roots.append(root)
      return .rely
    }
    switch next {
    case .wake(let member): member.wake()
    case .rely: break
    case .runHere: root()
    }
  }

  // MARK: Under the lock

  private func enter(_ member: CrewMember, _ state: inout State) {
    if member.depth == 0 { state.busy += 1 }
    member.depth += 1
  }

  private func exit(_ member: CrewMember, _ state: inout State) {
    member.depth -= 1
    if member.depth == 0 { state.busy -= 1 }
  }

  /// Threads that the open calls need: the width of those to whom it is granted, and the CPUs for all others together.
  private func threadsWanted(_ state: inout State) -> Int {
    var granted = 0
    var callers = 0
    var others = 0
    for job in state.open {
      if job.isGranted {
        granted += job.width - 1
      } else if job.width > 1 {
        others = cpus - 1
      }
      if job.parent == nil && job.admission.isCallerCrew { callers += 1 }
    }
    return min(granted + others + callers, Self.maximumThreads)
  }

  /// A job that has room and work for one more thread, with the lane for it.
  private func admit(within ancestor: ParallelJob?, _ state: inout State) -> (ParallelJob, lane: Int)? {
    for job in state.open where (job.isGranted || state.busy < cpus) && job.wantsHelp {
      if let ancestor, !job.isWithin(ancestor) { continue }
      job.present.add(1, ordering: .sequentiallyConsistent)
      return (job, job.admission.freeLanes.removeLast())
    }
    return nil
  }

  /// Takes a sleeper out of the books if there is something that it may do.
  private func sleeperToWake(_ state: inout State) -> CrewMember? {
    if state.sleepers.isEmpty { return nil }
    for job in state.open where (job.isGranted || state.busy < cpus) && job.wantsHelp {
      let index = state.sleepers.lastIndex { sleeper in
        guard let within = sleeper.within else { return true }
        return job.isWithin(within)
      }
      if let index { return state.sleepers.remove(at: index).member }
    }
    return nil
  }

  /// False if the system has no thread to give; the call then goes on with those that there are.
  private func addThread() -> Bool {
    // It never ends, so nothing is lost that it would have to let go of.
    (try? startThread("millrace-crew") { self.serve() }) != nil
  }
}
