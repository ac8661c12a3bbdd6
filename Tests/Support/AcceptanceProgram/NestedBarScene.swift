import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Has a pool of its own, which says how far it is.
struct WithBarsInside: StatelessWorker {
  func process(_ item: Int) async throws -> Int {
    try await withWorkerPool(.threads(1)) { pool in
      try await pool.map(0..<10, options: MapOptions(progress: .json("inner"))) { $0 + item }.reduce(0, +)
    }
  }
}

extension AcceptanceProgram {
  /// Maps in worker processes whose progress comes out here, on standard output.
  static func nestedBars(_ backend: WorkerPool.Backend) async throws {
    dup2(1, 2)
    try await withWorkerPool(backend) { pool in
      let options = MapOptions(chunking: .size(1), dispatch: .roundRobin, progress: .json("outer"))
      let sums = try await pool.map(0..<4, with: WithBarsInside(), options: options)
      say("\(sums)")
    }
    // Its end is shown after what the workers have told, which are gone.
    try await withWorkerPool(.serial) { pool in
      try await pool.forEach(0..<1, options: MapOptions(progress: .json("last"))) { $0 }
    }
  }
}
