import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Changes its folder, environment and mask after pools were made: what do workers find? One pool has begun by then, and
  /// gets more workers; the other has not. The closure is forked each time.
  static func moves(_ backend: WorkerPool.Backend) async throws {
    setenv("MILLRACE_PLACE", "before", 1)
    setenv("MILLRACE_GONE", "here", 1)
    chdir("/usr")
    umask(0o027)
    let begun = try WorkerPool(backend)
    let fresh = try WorkerPool(backend)
    _ = try await begun.map([0], with: Place())
    setenv("MILLRACE_PLACE", "after", 1)
    unsetenv("MILLRACE_GONE")
    chdir("/")
    umask(0o077)
    try begun.resize(to: 4)
    let options = MapOptions(chunking: .size(1), setUp: .eager)
    var found: Set<String> = []
    for pool in [begun, fresh] {
      found.formUnion(try await pool.map(0..<16, with: Place(), options: options))
      found.formUnion(try await pool.map(0..<16, options: options) { _ in Place.here() })
      try await pool.shutdown()
    }
    for line in found.sorted() { say(line) }
  }
}

struct Place: StatelessWorker {
  func process(_ item: Int) -> String {
    usleep(2_000)
    return Self.here()
  }

  static func here() -> String {
    var folder = [CChar](repeating: 0, count: 4_096)
    getcwd(&folder, folder.count)
    let mask = umask(0)
    umask(mask)
    func variable(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "none" }
    let path = folder.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return "\(path) \(variable("MILLRACE_PLACE")) \(variable("MILLRACE_GONE")) \(String(mask, radix: 8))"
  }
}
