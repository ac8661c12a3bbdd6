#if CLI
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How many jobs the limits of this process leave room for, as they are when the run begins.
///
/// It keeps what we need for ourselves out of the jobs' reach; what others take meanwhile is `StartGate`'s to notice.
struct SystemRoom: Equatable, Sendable {
  /// Descriptors that may still be opened; nil without a limit.
  var descriptors: Int?
  /// Processes and threads that may still be started; nil without a limit.
  var tasks: Int?

  /// A bell, a process and two pipes of which we keep one end each.
  private static let descriptorsPerJob = 4
  private static let descriptorsOfDispatch = 6
  /// The other ends of the pipes, for a moment.
  private static let descriptorsPerStart = 2

  /// The most jobs at once, at least one.
  /// - Parameter processes: how many processes a job is likely to have at once; a thread of ours waits for it.
  func jobs(wanted: Int, processes: Int) -> Int {
    var most = wanted
    if let descriptors {
      // For large outputs, and to look for the processes of a job that has to end; and for Dispatch, which opens what it needs
      // when it first needs it, and traps if it cannot.
      let own = Self.descriptorsOfDispatch + min(16, descriptors / 4)
      let starting = min(8, wanted) * Self.descriptorsPerStart
      let room = descriptors - own
      // Where there is little, the few may all start at once.
      let few = room / (Self.descriptorsPerJob + Self.descriptorsPerStart)
      most = min(most, max(few, (room - starting) / Self.descriptorsPerJob))
    }
    if let tasks {
      let own = min(8, tasks / 4)
      most = min(most, (tasks - own) / (1 + processes))
    }
    return max(1, most)
  }

  static func now() -> SystemRoom {
    SystemRoom(
      descriptors: freeDescriptors(), tasks: [freeTasksOfUser(), freeTasksOfGroups()].compactMap(\.self).min())
  }

  private static func softLimit(_ resource: __rlimit_resource) -> Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int32.max) else {
      return nil
    }
    return Int(limit.rlim_cur)
  }

  private static func freeDescriptors() -> Int? {
    guard let limit = softLimit(RLIMIT_NOFILE) else { return nil }
    guard let open = ProcessEntry.names(in: "/proc/self/fd")?.count else { return nil }
    return max(0, limit - open)
  }

  /// The limit on processes does not hold for the superuser.
  private static func freeTasksOfUser() -> Int? {
    guard getuid() != 0, let limit = softLimit(__RLIMIT_NPROC) else { return nil }
    // All that the machine runs, in one small file: mostly far from the limit, and nobody has to be counted.
    let all = ProcessEntry.text(of: "/proc/loadavg")?.split(separator: " ").dropFirst(3).first?.split(separator: "/")
      .last
    if let all = all.flatMap({ Int($0) }), all < limit / 2 { return limit - all }
    return max(0, limit - ProcessEntry.taskCount(of: getuid()))
  }

  /// The tightest `pids.max` of the control groups that we are in.
  private static func freeTasksOfGroups() -> Int? {
    guard let text = ProcessEntry.text(of: "/proc/self/cgroup") else { return nil }
    return text.split(separator: "\n").flatMap { line -> [Int] in
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { return [] }
      let isSecond = fields[0] == "0" && fields[1].isEmpty
      guard isSecond || fields[1].split(separator: ",").contains("pids") else { return [] }
      let mount = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids"
      let names = fields[2].split(separator: "/")
      return (0...names.count).compactMap { depth in
        let folder = mount + names.prefix(depth).map { "/" + $0 }.joined()
        guard let most = number(in: folder + "/pids.max"), let current = number(in: folder + "/pids.current") else {
          return nil
        }
        return max(0, most - current)
      }
    }.min()
  }

  private static func number(in path: String) -> Int? {
    ProcessEntry.text(of: path).flatMap { Int($0.prefix { $0.isNumber }) }
  }
}
#endif
