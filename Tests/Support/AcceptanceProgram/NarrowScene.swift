import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// A program that has no memory for some of its outputs, though its workers have: what becomes of the items, and of the worker?
  static func narrow(_ start: WorkerPool.ProcessOptions.Start) async throws {
    try await withWorkerPool(.processes(1, WorkerPool.ProcessOptions(start: start))) { pool in
      var workers: Set<Int32> = []
      // The worker has as much as it likes: it was there before.
      guard try await pool.run(0, with: Filling()).count == 4 else { exit(2) }
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      let size = try String(decoding: readAll("/proc/self/statm"), as: UTF8.self).prefix { $0 != " " }
      limit.rlim_cur = rlim_t((Int(size) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) + 40 << 20)
      setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
      for try await outcome in pool.outcomes(
        of: [0, 64, 0, 80, 1, 0], with: Filling(), options: MapOptions(chunking: .size(6)))
      {
        switch outcome.result {
        case .success(let bytes):
          workers.insert(bytes.withUnsafeBytes { $0.loadUnaligned(as: Int32.self) })
          say("\(outcome.index): \(bytes.count)")
        case .failure(let failure): say("\(failure)")
        }
      }
      say("\(workers.count) worker")
    }
  }

  private static func readAll(_ path: String) throws -> [UInt8] {
    let file = open(path, O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = read(file, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }
}

/// So many MiB, or four bytes; they begin with the number of the process.
struct Filling: StatelessWorker {
  func process(_ item: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 7, count: max(4, item << 20))
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: getpid(), as: Int32.self) }
    return bytes
  }
}
