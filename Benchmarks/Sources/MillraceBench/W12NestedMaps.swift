import Contract
import Kernel
import Millrace

/// W12, nested maps: 100 outer items, each of them a map of 100 inner ones of 10 µs; beside the same 10,000 in one map.
///
/// On the same pool, on another one, and without a pool. Efficiency is half of the serial time over the time.
func nestedMaps(_ run: Run) async throws {
  let checksum = (0..<10_000).reduce(UInt64(0)) { $0 ^ tenMicroseconds($1) }
  for sample in run.samples("W12.nested.serial") {
    let found = (0..<10_000).reduce(UInt64(0)) { $0 ^ tenMicroseconds($1) }
    sample.stop()
    sample.check(found, is: checksum)
  }
  withoutPool(run, checksum)
  for (name, backend) in [("threads", .threads(Run.workers)), ("tasks", .tasks(Run.workers))]
    as [(String, WorkerPool.Backend)]
  {
    try await withWorkerPool(backend) { pool in
      _ = try await pool.map(0..<8) { tenMicroseconds($0) }
      for sample in run.samples("W12.nested.flat.\(name)") {
        let found = try await pool.map(0..<10_000) { tenMicroseconds($0) }
        sample.stop()
        sample.check(found.reduce(0, ^), is: checksum)
      }
      try await nested(run, "W12.nested.other.\(name)", checksum, outer: pool, inner: WorkerPool(backend))
      try await nested(run, "W12.nested.same.\(name)", checksum, outer: pool, inner: pool)
    }
  }
}

private func withoutPool(_ run: Run, _ checksum: UInt64) {
  for sample in run.samples("W12.nested.parallelMap") {
    let found = (0..<100).parallelMap(width: Run.workers) { outer in
      (0..<100).parallelMap { tenMicroseconds(outer * 100 + $0) }.reduce(0, ^)
    }
    sample.stop()
    sample.check(found.reduce(0, ^), is: checksum)
  }
}

/// Of seeds that are spread: `spin` is linear, and the results of consecutive ones cancel each other out.
private func tenMicroseconds(_ item: Int) -> UInt64 { spin(UInt64(item) &* 0x9E37_79B9_7F4A_7C15, rounds: 6_280) }

private func nested(
  _ run: Run, _ variant: String, _ checksum: UInt64, outer: WorkerPool, inner: WorkerPool
) async throws {
  for sample in run.samples(variant) {
    // Nobody can end a map that waits for itself from outside: so the program ends.
    let guardian = Task {
      try await Task.sleep(for: .seconds(60))
      Run.fail("\(variant): no result within a minute")
    }
    let found = try await outer.map(0..<100) { number in
      try await inner.map(0..<100) { tenMicroseconds(number * 100 + $0) }.reduce(0, ^)
    }
    sample.stop()
    guardian.cancel()
    sample.check(found.reduce(0, ^), is: checksum)
  }
  if inner !== outer { try await inner.shutdown() }
}
