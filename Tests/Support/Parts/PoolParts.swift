import Millrace

/// What users meet: an element of a stream, the start of a pool.
enum PoolParts {
  /// An item through a stream, in chunks of a thousand, all in this thread.
  static func streamElement(_ times: Int) async throws -> Int { try await stream(times, chunk: 1_000) }

  /// A chunk through a stream, of one item.
  static func streamChunk(_ times: Int) async throws -> Int { try await stream(times, chunk: 1) }

  /// The same, with its progress shown to somebody.
  static func streamElementShown(_ times: Int) async throws -> Int {
    try await stream(times, chunk: 1_000, progress: .custom(Nobody()))
  }

  private struct Nobody: ProgressReporter {
    func report(_ state: ProgressState) {}
  }

  private static func stream(_ times: Int, chunk: Int, progress: ProgressStyle = .none) async throws -> Int {
    try await withWorkerPool(.serial) { pool in
      var sum = 0
      for try await number in pool.outputs(
        of: 0..<times, with: Increment(), options: MapOptions(chunking: .size(chunk), progress: progress))
      {
        sum &+= number
      }
      return sum
    }
  }

  /// A pool, one item through it, its end.
  static func start(_ times: Int, _ backend: WorkerPool.Backend) async throws -> Int {
    var sum = 0
    for _ in 0..<times {
      sum &+= try await withWorkerPool(backend) { pool in try await pool.map([1], with: Increment())[0] }
    }
    return sum
  }
}

struct Increment: StatelessWorker {
  func process(_ item: Int) -> Int { item &+ 1 }
}
