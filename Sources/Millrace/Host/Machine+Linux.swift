#if os(Linux)
import CMillrace
import Glibc

extension Machine {
  /// How many CPUs the program could run on when it started.
  static var affinityCount: Int? {
    let count = millrace_program_cpus()
    return count > 0 ? Int(count) : nil
  }

  /// The tightest CPU quota of this process's control groups, in CPUs; nil without a limit.
  static var cpuQuota: Double? {
    guard let membership = text(of: "/proc/self/cgroup") else { return nil }
    return ControlGroup.folders(membership: membership).compactMap { folder -> Double? in
      if folder.version == 2 { return text(of: folder.path + "/cpu.max").flatMap(ControlGroup.quota(cpuMax:)) }
      guard let quota = text(of: folder.path + "/cpu.cfs_quota_us"),
        let period = text(of: folder.path + "/cpu.cfs_period_us")
      else { return nil }
      return ControlGroup.quota(microseconds: quota, period: period)
    }.min()
  }

  /// How many processes of this control group the kernel has killed for want of memory.
  static var memoryVictims: Int {
    guard let membership = text(of: "/proc/self/cgroup") else { return 0 }
    let events = ControlGroup.folders(membership: membership).lazy
      .compactMap { text(of: $0.path + "/memory.events") }.first
    let line = events?.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
    return line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0
  }

  /// How many bytes of memory can be had, where so many are asked for that it is worth the look, or have been since the last; nil if
  /// nobody tells.
  static func memoryRoom(for bytes: Int) -> Int? {
    guard memoryAllowance.isWorthLook(bytes) else { return nil }
    let room = memoryRoom(text(of:))
    memoryAllowance.saw(room, for: bytes)
    return room
  }
  private static let memoryAllowance = MemoryAllowance()

  /// The same, from the texts of files by their paths: what the machine has, and what each memory group around this process leaves of it.
  static func memoryRoom(_ text: (String) -> String?) -> Int? {
    var room = text("/proc/meminfo").flatMap { text -> Int? in
      guard let available = number(after: "MemAvailable:", in: text) else { return nil }
      return (available + (number(after: "SwapFree:", in: text) ?? 0)) << 10
    }
    let folders =
      text("/proc/self/cgroup").map { ControlGroup.folders(membership: $0, controller: "memory") } ?? []
    for folder in folders {
      let isNew = folder.version == 2
      let limit = isNew ? "/memory.max" : "/memory.limit_in_bytes"
      let usage = isNew ? "/memory.current" : "/memory.usage_in_bytes"
      guard let most = text(folder.path + limit).flatMap(number), let used = text(folder.path + usage).flatMap(number)
      else { continue }
      // What is kept of files only goes when it is needed.
      let cached = isNew ? "inactive_file " : "total_inactive_file "
      let kept = text(folder.path + "/memory.stat").flatMap { number(after: cached, in: $0) } ?? 0
      room = min(room ?? .max, max(0, most - max(0, used - kept)))
    }
    return room
  }

  private static func number(_ text: String) -> Int? {
    text.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
  }

  private static func number(after name: String, in text: String) -> Int? {
    text.split(separator: "\n").first { $0.hasPrefix(name) }.flatMap { number(String($0.dropFirst(name.count))) }
  }

  /// This process's resident memory in bytes.
  static var residentBytes: Int {
    guard let fields = text(of: "/proc/self/statm")?.split(separator: " "), fields.count > 1 else { return 0 }
    return (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// The first few kilobytes of a small file of the kernel's.
  private static func text(of path: String) -> String? {
    let file = millrace_fd_open(path, O_RDONLY, 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    let text = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer -> String? in
      let count = read(file, buffer.baseAddress, buffer.count)
      guard count > 0 else { return nil }
      return String(decoding: buffer[0..<count], as: UTF8.self)
    }
    return text
  }
}
#else
extension Machine {
  // These platforms neither bind threads to CPUs nor limit a process's CPU time by groups.
  static var affinityCount: Int? { nil }
  static var cpuQuota: Double? { nil }
  static var memoryVictims: Int { 0 }
  static var residentBytes: Int { 0 }
  static func memoryRoom(for bytes: Int) -> Int? { nil }
}
#endif
