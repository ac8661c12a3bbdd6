import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// What is open right after the end of a pool that was not there before it, of many pools.
  static func closed(_ backend: WorkerPool.Backend, _ how: String) async throws {
    // Makes what the program keeps: its spawner, and what Dispatch needs.
    try await once(backend, "map")
    // Everything that they could take is looked at. Closed numbers are taken again, so one that is open is a new one.
    var late = 0
    for _ in 0..<60 {
      let before = (0..<4_096).filter { fcntl(Int32($0), F_GETFD) >= 0 }
      try await once(backend, how)
      let after = (0..<4_096).filter { fcntl(Int32($0), F_GETFD) >= 0 }
      if !Set(after).subtracting(before).isEmpty { late += 1 }
    }
    say("\(late) late")
  }

  private static func once(_ backend: WorkerPool.Backend, _ how: String) async throws {
    switch how {
    case "unused": try await withWorkerPool(backend) { _ in }
    case "prints":
      try await withWorkerPool(backend) { pool in
        try await pool.forEach(0..<3) { _ in say("") }
      }
    default:
      try await withWorkerPool(backend) { pool in
        guard try await pool.map(0..<3, with: Successor()) == [1, 2, 3] else { exit(2) }
      }
    }
  }
}
