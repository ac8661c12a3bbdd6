import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// What it starts is stuck in a library's constructor.
  static func stuck(_ backend: WorkerPool.Backend) async throws {
    setenv("MILLRACE_TEST_STUCK", "1", 1)
    try await withWorkerPool(backend) { pool in
      try await pool.forEach(0..<2, with: Brief(), options: MapOptions(chunking: .size(1)))
    }
  }
}
