import Contract
import Kernel
import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// W11, many maps on one pool: maps of two items, with one configuration, a new one each, and a new closure each.
///
/// The time is that of a map; `drift` is what the last tenth of the maps cost, measured by the first. `maps=N`: how many.
func manyMaps(_ run: Run) async throws {
  let count = run.number("maps", default: 10_000)
  for (suffix, backend) in [("", .processes(Run.workers)), (".threads", .threads(Run.workers))]
    as [(String, WorkerPool.Backend)]
  {
    try await maps(run, "W11.one\(suffix)", backend, count) { pool, _ in
      try await pool.map([1, 2], with: Scale(factor: 3))
    }
    try await maps(run, "W11.config\(suffix)", backend, count) { pool, number in
      try await pool.map([1, 2], with: Scale(factor: number))
    }
    // A closure's workers are forked for its map: fewer of them tell as much.
    try await maps(run, "W11.closure\(suffix)", backend, suffix.isEmpty ? max(20, count / 20) : count) { pool, number in
      try await pool.map([1, 2]) { $0 &* number }
    }
  }
}

struct Scale: StatelessWorker, Codable {
  var factor: Int
  func process(_ item: Int) -> Int { item &* factor }
}

private func maps(
  _ run: Run, _ variant: String, _ backend: WorkerPool.Backend, _ count: Int,
  _ map: (WorkerPool, Int) async throws -> [Int]
) async throws {
  guard run.includes(variant) else { return }
  try await withWorkerPool(backend) { pool in
    for number in 0..<10 { _ = try await map(pool, -number) }
    let (memory, descriptors) = (try Memory.resident(), openDescriptors())
    for sample in run.samples(variant) {
      var tenths: [Duration] = []
      for tenth in 0..<10 {
        let start = SuspendingClock.now
        for number in count * tenth / 10..<count * (tenth + 1) / 10 {
          let outputs = try await map(pool, number)
          sample.check(outputs.count == 2 && outputs[1] == 2 &* outputs[0], "wrong results")
        }
        tenths.append(SuspendingClock.now - start)
      }
      sample.stop(per: count)
      sample.report("drift", "times", tenths[9] / tenths[0])
      sample.report("memory_growth", "MiB", try Memory.resident() - memory)
      sample.report("descriptor_growth", "descriptors", Double(openDescriptors() - descriptors))
    }
  }
}

private func openDescriptors() -> Int {
  guard let folder = opendir("/proc/self/fd") else { return 0 }
  defer { closedir(folder) }
  var count = 0
  while readdir(folder) != nil { count += 1 }
  return count
}
