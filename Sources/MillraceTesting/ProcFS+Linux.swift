#if os(Linux)
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reads `/proc`.
///
/// Whatever it names may go at any moment, so everything returns nothing rather than failing.
package enum ProcFS {
  /// The names in a directory, without `.` and `..`, and without the descriptor that reading it takes.
  package static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    let own = directory == "/proc/self/fd" ? String(dirfd(stream)) : "."
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." && name != own { names.append(name) }
    }
    return names
  }

  package static func numbers(in directory: String) -> [Int] { names(in: directory).compactMap { Int($0) } }

  package static func text(of file: String) -> String? { withText(of: file) { String(cString: $0) } }

  /// Gives a file's content, with a zero behind it, to a body.
  ///
  /// The C library's functions go through it much faster than Swift's generic ones in a debug build, where tests mostly run;
  /// and the oracle looks at every process of the machine.
  static func withText<Value>(of file: String, _ body: (UnsafePointer<CChar>) -> Value?) -> Value? {
    withBytes(of: file) { bytes in bytes.baseAddress.flatMap { body($0.assumingMemoryBound(to: CChar.self)) } }
  }

  /// Whether a process was started with the line in its environment; false if that cannot be read.
  static func environment(of process: Int, has line: String) -> Bool {
    withBytes(of: "/proc/\(process)/environ") { bytes in
      guard var place = bytes.baseAddress else { return false }
      let end = place + bytes.count
      while place < end {
        let text = place.assumingMemoryBound(to: CChar.self)
        if strcmp(text, line) == 0 { return true }
        place += strlen(text) + 1
      }
      return false
    } ?? false
  }

  /// Gives a file's content to a body; behind its end there is a zero.
  private static func withBytes<Value>(of file: String, _ body: (UnsafeRawBufferPointer) -> Value?) -> Value? {
    let descriptor = open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var capacity = 4096
    var length = 0
    guard var buffer = malloc(capacity) else { return nil }
    defer { free(buffer) }
    while true {
      let count = read(descriptor, buffer + length, capacity - length - 1)
      if count < 0 { return nil }
      length += count
      if count == 0 { break }
      if length == capacity - 1 {
        capacity *= 2
        guard let larger = realloc(buffer, capacity) else { return nil }
        buffer = larger
      }
    }
    buffer.storeBytes(of: 0, toByteOffset: length, as: UInt8.self)
    return body(UnsafeRawBufferPointer(start: buffer, count: length))
  }

  /// Where a symbolic link points.
  static func target(of link: String) -> String? {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let start = buffer.baseAddress else { return nil }
      let count = readlink(link, start, buffer.count)
      guard count >= 0 else { return nil }
      return String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    }
  }

  /// The line that the kernel keeps about a process or a thread, `/proc/…/stat`.
  struct Stat {
    let name: String
    let state: String
    let parent: Int
    let session: Int
    /// In clock ticks; the sum of user and system time.
    let cpuTicks: Int
    /// In clock ticks since the machine started.
    ///
    /// With the number it names a process for good.
    let startTime: Int

    init?(of task: String) {
      guard let stat = withText(of: "\(task)/stat", Self.init(line:)) else { return nil }
      self = stat
    }

    private init?(line: UnsafePointer<CChar>) {
      // The name may contain anything, blanks and brackets too: it ends at the last bracket.
      guard let open = strchr(line, CInt(UInt8(ascii: "("))), let close = strrchr(line, CInt(UInt8(ascii: ")"))),
        close > open
      else { return nil }
      name = String(decoding: UnsafeRawBufferPointer(start: open + 1, count: close - open - 1), as: UTF8.self)

      var fields: [UnsafeMutablePointer<CChar>] = []
      var rest = close
      while fields.count < 20, let blank = strchr(rest, CInt(UInt8(ascii: " "))) {
        fields.append(blank + 1)
        rest = blank + 1
      }
      guard fields.count == 20 else { return nil }
      state = String(UnicodeScalar(UInt8(bitPattern: fields[0].pointee)))
      parent = strtol(fields[1], nil, 10)
      session = strtol(fields[3], nil, 10)
      cpuTicks = strtol(fields[11], nil, 10) + strtol(fields[12], nil, 10)
      startTime = strtol(fields[19], nil, 10)
    }
  }
}
#endif
