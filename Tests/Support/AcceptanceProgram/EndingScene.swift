import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Ends a pool, or goes on with it, after somebody has seen to it that it does not come easily.
  ///
  /// - Parameters:
  ///   - trouble: `server` is stopped, or all `workers` are; the program gives up its `user`; it is not `read`.
  ///   - how: by `shutdown`, by `terminate`, or by another `map` first.
  static func ends(_ backend: WorkerPool.Backend, _ trouble: String, _ how: String) async throws {
    let pool = try WorkerPool(backend)
    let workers = Set(try await pool.map([0, 0, 0, 0], with: Pid(), options: MapOptions(chunking: .size(1))))
    switch trouble {
    case "server": for child in children() where name(of: child) == "millrace-server" { kill(child, SIGSTOP) }
    case "workers": for worker in workers { kill(worker, SIGSTOP) }
    case "user": guard setuid(65_534) == 0 else { exit(77) }
    case "read": try await pool.forEach(0..<64, with: Flood(), options: MapOptions(chunking: .size(1)))
    default: exit(64)
    }
    switch how {
    case "map":
      // The workers of the first are not those of this one.
      for worker in workers { kill(worker, SIGKILL) }
      let options = MapOptions(chunking: .size(1), retry: .upTo(3))
      guard try await pool.map(0..<20, with: Triple(), options: options) == (0..<20).map({ $0 * 3 }) else { exit(1) }
      try await pool.shutdown()
    case "shutdown": try await pool.shutdown()
    default: try await pool.terminate()
    }
    _exit(0)
  }

  /// Of every thread of this process.
  private static func children() -> [pid_t] {
    names(in: "/proc/self/task").flatMap { thread in
      text(of: "/proc/self/task/\(thread)/children").split(separator: " ").compactMap { pid_t($0) }
    }
  }

  static func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var found: [String] = []
    while let entry = readdir(folder) {
      found.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return found
  }

  private static func name(of process: pid_t) -> String {
    String(text(of: "/proc/\(process)/comm").prefix { $0 != "\n" })
  }

  static func text(of path: String) -> String {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return "" }
    defer { close(file) }
    var bytes: [UInt8] = []
    var room = [UInt8](repeating: 0, count: 4_096)
    while case let count = read(file, &room, room.count), count > 0 { bytes += room[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Prints more than a pipe holds, and does not wait until it is read.
struct Flood: StatelessWorker {
  func process(_ item: Int) {
    let flags = fcntl(1, F_GETFL)
    _ = fcntl(1, F_SETFL, flags | O_NONBLOCK)
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 4_095) + [UInt8(ascii: "\n")]
    _ = write(1, line, line.count)
  }
}
