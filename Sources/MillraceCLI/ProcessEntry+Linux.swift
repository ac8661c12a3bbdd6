#if CLI && os(Linux)
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One running process as `/proc` shows it.
struct ProcessEntry: Sendable {
  let id: pid_t
  let parent: pid_t
  let group: pid_t

  /// The number in a variable that it was started with, if that was looked for.
  private(set) var job: Int?

  /// All processes that have not ended, each with the number in a variable (`NAME=`), if it has that, and we may look.
  static func all(mark: Bytes) -> [ProcessEntry] {
    (names(in: "/proc") ?? []).compactMap { pid_t($0) }.compactMap { id in
      var entry = ProcessEntry(id: id)
      let variables = contents(of: "/proc/\(id)/environ")?.split(separator: 0) ?? []
      entry?.job = variables.first { $0.starts(with: mark) }.flatMap {
        Int(String(decoding: $0.dropFirst(mark.count), as: UTF8.self))
      }
      return entry
    }
  }

  /// How many threads of all processes a user has.
  static func taskCount(of user: uid_t) -> Int {
    (names(in: "/proc") ?? []).filter { pid_t($0) != nil }.reduce(0) { count, id in
      var status = stat()
      guard stat("/proc/\(id)", &status) == 0, status.st_uid == user else { return count }
      return count + (names(in: "/proc/\(id)/task")?.count ?? 1)
    }
  }

  /// The names in a folder; nil where we may not look.
  static func names(in folder: String) -> [String]? {
    guard let directory = opendir(folder) else { return nil }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// The text of a small file of the kernel's; nil where we may not look.
  static func text(of path: String) -> String? { contents(of: path).map { String(decoding: $0, as: UTF8.self) } }

  init?(id: pid_t) {
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

  /// Where a link of the kernel's points to; nil where we may not look.
  static func target(of link: String) -> Bytes? {
    var buffer = Bytes(repeating: 0, count: Int(PATH_MAX))
    let count = buffer.withUnsafeMutableBytes { readlink(link, $0.baseAddress!, $0.count) }
    return count > 0 ? Bytes(buffer[..<count]) : nil
  }

  /// The bytes of a small file of the kernel's; nil where we may not look.
  static func contents(of path: String) -> Bytes? {
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
