#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The processes of one job, or of all, for the moment when they have to end.
///
/// A process belongs to a job by its process group, by its parent, or by the job's mark in its environment; the last finds
/// daemons too, which left both their session and their parent. Once seen, a process is held by a descriptor, so no
/// other that gets its number later is meant.
struct ProcessTree: ~Copyable {
  private let leader: pid_t?
  private let job: Int?
  private let table: ProcessTable
  private var members: [pid_t: Int32] = [:]

  /// - Parameters:
  ///   - leader: the process that leads the job's process group, and has not been reaped.
  ///   - job: the number of the job; nil for all jobs.
  init(leader: pid_t?, job: Int?, _ table: ProcessTable) {
    self.leader = leader
    self.job = job
    self.table = table
  }

  deinit { for descriptor in members.values { close(descriptor) } }

  /// Sends signals, one after the other, to every process of the tree, each of them once.
  mutating func signal(_ numbers: Int32...) {
    // First, for a process whose parent has died of it could not be found by that.
    collect()
    for number in numbers { send(number) }
  }

  private func send(_ number: Int32) {
    if let leader { kill(-leader, number) }
    for (member, descriptor) in members where leader == nil || getpgid(member) != leader {
      _ = millrace_pidfd_signal(descriptor, number)
    }
  }

  /// Returns when no process of the tree runs any more: those that do not end by the deadline are killed.
  ///
  /// - Parameter latest: until when those that were killed are waited for.
  /// - Returns: false if some run on. Those that we may not signal are not waited for beyond the deadline.
  mutating func end(by deadline: UInt64, latest: UInt64) -> Bool {
    // A process can start another while we look; look until there is none.
    while collect() {
      guard MonotonicTime.now >= deadline else {
        waitForEnd(of: Array(members.values), until: deadline)
        continue
      }
      send(SIGKILL)
      let reachable = members.values.filter { millrace_pidfd_signal($0, 0) != EPERM }
      if reachable.isEmpty || MonotonicTime.now >= latest { return false }
      waitForEnd(of: reachable, until: latest)
    }
    return true
  }

  private func waitForEnd(of processes: [Int32], until deadline: UInt64) {
    for descriptor in processes {
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      while poll(&event, 1, millisecondsUntil(deadline)) < 0, errno == EINTR {}
    }
  }

  /// Adds processes that have appeared, drops those that have ended; true if any runs.
  @discardableResult
  private mutating func collect() -> Bool {
    for (member, descriptor) in members where hasEnded(descriptor) {
      close(descriptor)
      members[member] = nil
    }
    var known = Set(members.keys)
    if let leader { known.insert(leader) }
    let processes = table.look()
    var isComplete = false
    while !isComplete {
      isComplete = true
      for process in processes where !known.contains(process.id) {
        let isMarked = process.job != nil && (job == nil || process.job == job)
        guard isMarked || process.group == leader || known.contains(process.parent) else { continue }
        known.insert(process.id)
        isComplete = false
      }
    }
    for member in known where members[member] == nil {
      let descriptor = millrace_pidfd_open(member)
      guard descriptor >= 0 else { continue }
      if hasEnded(descriptor) { close(descriptor) } else { members[member] = descriptor }
    }
    return !members.isEmpty
  }
}

/// Whether the process of a descriptor has ended.
func hasEnded(_ process: Int32) -> Bool {
  var event = pollfd(fd: process, events: Int16(POLLIN), revents: 0)
  return poll(&event, 1, 0) != 0
}

/// Milliseconds for `poll`, rounded up, so that a wait does not end before its time.
func millisecondsUntil(_ deadline: UInt64) -> Int32 {
  let now = MonotonicTime.now
  return deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
}
#endif
