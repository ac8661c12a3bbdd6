/// What the control groups of Linux say about the CPU time of this process: pure functions over the texts of the files.
enum ControlGroup {
  /// The folders of `/sys/fs/cgroup` where a process's limits may stand, from its own group up to the root.
  ///
  /// - Parameters:
  ///   - membership: the text of `/proc/self/cgroup`. A line is `number:controllers:path`; version 2 has number 0 and
  ///     no controllers. In a container the path may be the host's and not exist here; the root always does.
  ///   - controller: which of version 1's is meant.
  static func folders(membership: some StringProtocol, controller: String = "cpu") -> [Folder] {
    var folders: [Folder] = []
    for line in membership.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let controllers = fields[1].split(separator: ",")
      if fields[0] == "0" && controllers.isEmpty {
        folders += ancestry(of: fields[2]).map { Folder(version: 2, path: "/sys/fs/cgroup" + $0) }
      } else if controllers.contains(where: { $0 == controller }) {
        // The mount is named after its controllers, most often with a link for each of them.
        for mount in Set([controller, String(fields[1])]).sorted() {
          folders += ancestry(of: fields[2]).map { Folder(version: 1, path: "/sys/fs/cgroup/\(mount)" + $0) }
        }
      }
    }
    return folders
  }

  struct Folder: Hashable {
    var version: Int
    var path: String
  }

  /// CPUs' worth of time in the text of version 2's `cpu.max` (`max 100000`, `150000 100000`); nil means no limit.
  static func quota(cpuMax text: some StringProtocol) -> Double? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 2 else { return nil }
    return quota(microseconds: words[0], period: words[1])
  }

  /// CPUs' worth of time in the texts of version 1's `cpu.cfs_quota_us` (-1: none) and `cpu.cfs_period_us`.
  static func quota(microseconds: some StringProtocol, period: some StringProtocol) -> Double? {
    func number(_ text: some StringProtocol) -> Double? {
      text.split(whereSeparator: \.isWhitespace).first.flatMap { Double($0) }
    }
    guard let microseconds = number(microseconds), let period = number(period), microseconds > 0, period > 0 else {
      return nil
    }
    return microseconds / period
  }

  /// `/a/b` as `["/a/b", "/a", ""]`: a group is bound by its ancestors' limits too.
  private static func ancestry(of path: some StringProtocol) -> [String] {
    let names = path.split(separator: "/")
    return (0...names.count).reversed().map { names.prefix($0).map { "/" + $0 }.joined() }
  }
}
