import Contract
import Kernel
import Millrace

/// W6, start and stop: a pool, two items, and the end of it.
///
/// `ballast=N` measures the same while the program holds N MiB of touched memory.
func startAndStop(_ run: Run) async throws {
  let mebibytes = run["ballast"] == nil ? 0 : run.number("ballast", default: 0)
  let ballast = [UInt8](repeating: 1, count: mebibytes << 20)
  let name = mebibytes == 0 ? "W6" : mebibytes == 1_024 ? "W6.parent_1GiB" : "W6.parent_\(mebibytes)MiB"
  let backends: [(String, WorkerPool.Backend)] = [
    (name, .processes(Run.workers)), (name + ".threads", .threads(Run.workers)),
  ]

  for (variant, backend) in backends {
    for sample in run.samples(variant) {
      let outputs = try await withWorkerPool(backend) { pool in try await pool.map([1, 2], with: Square()) }
      sample.stop()
      sample.check(outputs == [2, 5], "wrong results")
    }
  }
  withExtendedLifetime(ballast) {}
}
