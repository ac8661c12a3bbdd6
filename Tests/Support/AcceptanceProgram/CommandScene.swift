import Millrace

extension AcceptanceProgram {
  /// Runs a program that tells a FIFO which process it is, and never ends.
  static func commands(_ backend: WorkerPool.Backend, _ path: String) async throws {
    let command = Command("sh", "-c", "echo $$ >\(path); exec sleep 1000")
    try await withWorkerPool(backend) { pool in
      _ = try await Pipeline { Items([""]) }.map(with: command).list(on: pool)
    }
  }
}
