#if CLI
internal import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The processes of one job, for the moment when all of them have to end.
///
/// A process belongs to it by its process group, by its parent, or by the job's marks in its environment; the last finds
/// daemons too, which left both their session and their parent. Once seen, a process is held by a descriptor, so no
/// other that gets its number later is meant.
struct ProcessTree: ~Copyable {
  private let leaders: Set<pid_t>
  private let marks: [Bytes]
  private var members: [pid_t: Int32] = [:]

  /// - Parameters:
  ///   - leaders: processes that lead process groups, and have not been reaped.
  ///   - marks: variables (`NAME=value`) that only these processes have, all of them.
  init(leaders: Set<pid_t>, marks: [Bytes]) {
    self.leaders = leaders
    self.marks = marks
  }

  deinit { for descriptor in members.values { close(descriptor) } }

  /// Sends a signal to every process of the tree.
  mutating func signal(_ number: Int32) {
    collect()
    for leader in leaders { kill(-leader, number) }
    for (member, descriptor) in members where !leaders.contains(member) {
      _ = millrace_pidfd_signal(descriptor, number)
    }
  }

  /// Returns when no process of the tree runs any more: those that do not end by the deadline are killed.
  mutating func end(by deadline: UInt64) {
    collect()
    waitForEnd(until: deadline)
    // A process can start another while we look; look until there is none.
    while collect() {
      for leader in leaders { kill(-leader, SIGKILL) }
      for descriptor in members.values { _ = millrace_pidfd_signal(descriptor, SIGKILL) }
      waitForEnd(until: nil)
    }
  }

  private func isRunning(_ descriptor: Int32) -> Bool {
    var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&event, 1, 0) == 0
  }

  private func waitForEnd(until deadline: UInt64?) {
    for descriptor in members.values {
      var event = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      while true {
        let result = poll(&event, 1, deadline.map { millisecondsUntil($0) } ?? -1)
        if result >= 0 || errno != EINTR { break }
      }
    }
  }

  /// Adds processes that have appeared, drops those that have ended; true if any runs.
  @discardableResult
  private mutating func collect() -> Bool {
    for (member, descriptor) in members where !isRunning(descriptor) {
      close(descriptor)
      members[member] = nil
    }
    var known = Set(members.keys).union(leaders)
    let processes = ProcessEntry.all()
    var isComplete = false
    while !isComplete {
      isComplete = true
      for process in processes where !known.contains(process.id) {
        guard leaders.contains(process.group) || known.contains(process.parent) || process.environment(has: marks)
        else {
          continue
        }
        known.insert(process.id)
        isComplete = false
      }
    }
    for member in known where members[member] == nil {
      let descriptor = millrace_pidfd_open(member)
      guard descriptor >= 0 else { continue }
      if isRunning(descriptor) { members[member] = descriptor } else { close(descriptor) }
    }
    return !members.isEmpty
  }
}

/// Milliseconds for `poll`, rounded up, so that a wait does not end before its time.
func millisecondsUntil(_ deadline: UInt64) -> Int32 {
  let now = MonotonicTime.now
  return deadline <= now ? 0 : Int32(clamping: (deadline - now + 999_999) / 1_000_000)
}
#endif
