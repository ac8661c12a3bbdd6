#if Cluster
import Millrace
import MillraceCluster

// The Swift of "Many machines": compiled, and run by nobody.

struct Measure: StatelessWorker {
  func process(_ sample: Int) -> Int { sample * sample }
}

func manyMachines() async throws -> [Int] {
  let backend = WorkerPool.Backend.cluster(engine: .managed, launch: .local(agents: 2))
  let measured = try await withWorkerPool(backend) { pool in
    try await pool.map(0..<100, with: Measure())
  }
  return measured
}

func night(_ server: String, _ samples: [Int], record: (Int, Int) throws -> Void) async throws {
  let backend = WorkerPool.Backend.cluster(engine: .redis(server, job: "night"), launch: .local(agents: 2))
  try await withWorkerPool(backend) { pool in
    for try await outcome in pool.outcomes(of: samples, with: Measure(), resuming: "samples") {
      try record(outcome.index, outcome.output)
    }
  }
}
#endif
