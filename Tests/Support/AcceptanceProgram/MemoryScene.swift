import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Whether the C library has other thresholds than it came with, after a pool has brought large outputs.
  static func keeps(_ keepsFreedMemory: Bool) async throws {
    let options = WorkerPool.ProcessOptions(keepsFreedMemory: keepsFreedMemory)
    let sizes = try await withWorkerPool(.processes(1, options)) { pool in
      try await pool.map(Array(repeating: 40_000, count: 8), with: Fill()).map(\.count)
    }
    guard sizes == Array(repeating: 40_000, count: 8) else { return say("wrong") }
    #if canImport(Glibc)
    // Larger than any block that was freed here: from the system, unless the thresholds were raised.
    let block = malloc(16 << 20)!
    defer { free(block) }
    // The second bit of the word before a block says that it is one of the system's.
    let isMapped = (block - 8).load(as: UInt.self) & 2 != 0
    say(isMapped ? "gives back" : "keeps")
    #endif
  }
}

struct Fill: StatelessWorker {
  func process(_ count: Int) -> [UInt8] { [UInt8](repeating: 7, count: count) }
}
