import Contract
import Kernel
import Millrace

/// W2, the irregular map: items that take between one and two thousand units of time; default settings everywhere.
func irregularMap(_ run: Run) async throws {
  for (order, checksum) in [
    ("shuffled", 7_601_073_114_737_665_251), ("ascending", 4_476_588_077_045_495_321 as UInt64),
  ] {
    let items = SpinItem.pareto(ascending: order == "ascending")

    for sample in run.samples("W2.\(order).serial") {
      let results = items.map(\.result)
      sample.stop()
      sample.check(results.reduce(0, ^), is: checksum)
    }

    withoutPool(run, "W2.\(order).parallelMap", items, checksum)

    let backends: [(String, WorkerPool.Backend)] = [
      ("threads", .threads(Run.workers)), ("processes", .processes(Run.workers)),
    ]
    for (name, backend) in backends where run.includes("W2.\(order).\(name)") {
      try await withWorkerPool(backend) { pool in
        _ = try await pool.map(items.prefix(2), with: Spin())
        for sample in run.samples("W2.\(order).\(name)") {
          let results = try await pool.map(items, with: Spin())
          sample.stop()
          sample.check(results.reduce(0, ^), is: checksum)
        }
      }
    }
  }
}

private func withoutPool(_ run: Run, _ variant: String, _ items: [SpinItem], _ checksum: UInt64) {
  for sample in run.samples(variant) {
    let results = items.parallelMap(width: Run.workers) { $0.result }
    sample.stop()
    sample.check(results.reduce(0, ^), is: checksum)
  }
}

struct Spin: StatelessWorker {
  func process(_ item: SpinItem) -> UInt64 { item.result }
}
