#if Cluster
import Millrace
import MillraceCluster

// The Swift of "Many machines". The tests of MillraceCluster run it.

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
#endif
