import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// A program that opens files until it may open no more, while a worker runs an item and another one is to be set up in the same
  /// process, with a configuration that needs a descriptor: what becomes of the two, and what when there are descriptors again?
  static func exhausted(_ path: String) async throws {
    await openDispatch()
    let backend = WorkerPool.Backend.processes(2, WorkerPool.ProcessOptions(threadsPerProcess: 2))
    try await withWorkerPool(backend) { pool in
      // Both slots have a worker then.
      let wide = MapOptions(chunking: .size(1))
      guard Set(try await pool.map(0..<2, with: Guarded(path: path, lasts: false), options: wide)).count == 1 else {
        exit(2)
      }
      async let innocent = pool.run(7, with: Guarded(path: path, lasts: true))
      while access(path + ".running", F_OK) != 0 { usleep(1_000) }
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      limit.rlim_cur = min(limit.rlim_cur, 512)
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
      var files: [Int32] = []
      while case let file = dup(1), file >= 0 { files.append(file) }
      do {
        _ = try await pool.map(0..<4, with: Laden(bytes: [UInt8](repeating: 1, count: 1 << 20)))
        say("set up")
      } catch {
        say("\(error)")
      }
      for file in files { close(file) }
      do {
        say(try await innocent > 0 ? "innocent" : "")
      } catch {
        say("\(error)")
      }
      let sums = try await pool.map(0..<4, with: Laden(bytes: [UInt8](repeating: 1, count: 1 << 20)))
      say(sums == (0..<4).map { $0 + 1 << 20 } ? "right" : "wrong")
    }
  }

  /// A program that may have only so many addresses more, and a worker with a large configuration.
  static func bulky() async throws {
    let size = 48 << 20
    try await withWorkerPool(.processes(1)) { pool in
      // The fork server has as much as it likes: it was there before.
      guard try await pool.map([1], with: Triple()) == [3] else { exit(2) }
      let worker = Laden(bytes: [UInt8](repeating: 1, count: size))
      var found: Set<String> = []
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      for free in [24 << 20, 72 << 20, 120 << 20, 192 << 20, 360 << 20] {
        limit.rlim_cur = rlim_t(try addresses() + free)
        setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        do {
          let sums = try await pool.map(0..<2, with: worker)
          found.insert(sums == [size, size + 1] ? "right" : "wrong")
        } catch {
          let text = "\(error)"
          found.insert(text.contains("errno 12") ? "errno 12" : text)
        }
      }
      for line in found.sorted() { say(line) }
      limit.rlim_cur = limit.rlim_max
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      say(try await pool.map([1], with: Triple()) == [3] ? "usable" : "not usable")
    }
  }

  private static func addresses() throws -> Int {
    let file = open("/proc/self/statm", O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(file, &bytes, bytes.count)
    let pages = Int(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self).prefix { $0 != " " }) ?? 0
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}

/// The process's number; runs for a moment, or for longer, and says so.
struct Guarded: StatelessWorker, Codable {
  var path: String
  var lasts: Bool

  func process(_ item: Int) -> Int32 {
    if lasts { close(creat(path + ".running", 0o600)) }
    usleep(lasts ? 400_000 : 100_000)
    return getpid()
  }
}

/// Adds the number of bytes that it carries.
struct Laden: StatelessWorker, Codable {
  var bytes: [UInt8]
  func process(_ item: Int) -> Int { item + bytes.count }
}
