#if CLI && os(Linux)
#if canImport(Glibc)
import Glibc
#endif

/// One running process as `/proc` shows it.
struct ProcessEntry: Sendable {
  let id: pid_t
  let parent: pid_t
  let group: pid_t

  /// All processes that have not ended.
  static func all() -> [ProcessEntry] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var entries: [ProcessEntry] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let id = pid_t(name), let process = ProcessEntry(id: id) { entries.append(process) }
    }
    return entries
  }

  private init?(id: pid_t) {
    guard let stat = Self.contents(of: "/proc/\(id)/stat"),
      // The name in parentheses may hold anything; the fields after it do not.
      let end = stat.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = stat[(end + 1)...].split(separator: .space).map { String(decoding: $0, as: UTF8.self) }
    guard fields.count > 2, fields[0] != "Z", fields[0] != "X",
      let parent = pid_t(fields[1]), let group = pid_t(fields[2])
    else { return nil }
    self.id = id
    self.parent = parent
    self.group = group
  }

  /// Whether the process was started with all of these variables.
  ///
  /// False where we may not look.
  func environment(has variables: [Bytes]) -> Bool {
    guard let contents = Self.contents(of: "/proc/\(id)/environ") else { return false }
    let found = Set(contents.split(separator: 0))
    return variables.allSatisfy { found.contains($0[...]) }
  }

  private static func contents(of path: String) -> Bytes? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var contents = Bytes()
    var buffer = Bytes(repeating: 0, count: 4096)
    while true {
      let count = read(file, &buffer, buffer.count)
      guard count > 0 else { return count == 0 ? contents : nil }
      contents += buffer[..<count]
    }
  }
}
#endif
