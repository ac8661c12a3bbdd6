import Contract
import Kernel
import Millrace

/// W14, small maps: maps of 1,000 tiny items, and of one, on a warm pool; by one caller, and by 64 at once. The time is that
/// of a map: with 64 callers, the time of all divided by the number of maps.
func smallMaps(_ run: Run) async throws {
  for (name, count, maps) in [("thousand", 1_000, 512), ("one", 1, 2_048)] {
    let input = Array(0..<count)
    let expected = input.map { squarePlusOne($0) }
    withoutPool(run, "W14.\(name).parallelMap", maps, input, expected)
    let backends: [(String, WorkerPool.Backend)] = [
      ("", .processes(Run.workers)), (".threads", .threads(Run.workers)), (".serialPool", .serial),
    ]
    for (suffix, backend) in backends {
      try await withWorkerPool(backend) { pool in
        for _ in 0..<32 { _ = try await pool.map(input, with: Square()) }
        for (variant, callers) in [("W14.\(name)\(suffix)", 1), ("W14.\(name).callers64\(suffix)", 64)] {
          for sample in run.samples(variant) {
            let isRight = try await call(pool, callers, maps / callers, input, expected)
            sample.stop(per: maps)
            sample.check(isRight, "wrong results")
          }
        }
      }
    }
  }
}

private func withoutPool(_ run: Run, _ variant: String, _ maps: Int, _ input: [Int], _ expected: [Int]) {
  for sample in run.samples(variant) {
    var isRight = true
    for _ in 0..<maps { isRight = input.parallelMap(width: Run.workers) { squarePlusOne($0) } == expected && isRight }
    sample.stop(per: maps)
    sample.check(isRight, "wrong results")
  }
}

private func call(
  _ pool: WorkerPool, _ callers: Int, _ maps: Int, _ input: [Int], _ expected: [Int]
) async throws -> Bool {
  try await withThrowingTaskGroup(of: Bool.self) { group in
    for _ in 0..<callers {
      group.addTask {
        var isRight = true
        for _ in 0..<maps { isRight = try await pool.map(input, with: Square()) == expected && isRight }
        return isRight
      }
    }
    return try await group.reduce(true) { $0 && $1 }
  }
}
