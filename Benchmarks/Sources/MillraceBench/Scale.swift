import Contract
import Kernel
import Millrace

/// What a pool of processes costs this program, and what it costs its workers: the measured parts of the page "Scale".
///
/// Tiny items in chunks of fixed size, so that this program's part is all that there is to do; and items of 10 µs in chunks
/// of the size that automatic chunking makes of them, where this program mostly waits. A variant is `scale.CHUNK.WIDTH`; the
/// metrics are in seconds of CPU time for the whole map.
func scale(_ run: Run) async throws {
  for width in [2, 16, 64] {
    for (chunk, count) in [(1, 100_000), (16, 800_000), (256, 4_000_000), (4_096, 16_000_000)] {
      let options = MapOptions(chunking: .size(chunk))
      try await meter(run, "scale.\(chunk).\(width)", width, count, MeteredSquare(), options)
    }
    let options = MapOptions(chunking: .size(50))
    try await meter(run, "scale.50_10us.\(width)", width, 100_000, MeteredTenMicroseconds(), options)
  }
}

private func meter<W: Worker>(
  _ run: Run, _ variant: String, _ width: Int, _ count: Int, _ worker: W, _ options: MapOptions
) async throws where W.Input == Int, W.Exit == Double {
  guard run.includes(variant) else { return }
  for sample in run.samples(variant, amount: Double(count)) {
    // A pool for each repetition, for the workers' time is theirs from their set-up to their end. Its start is not counted.
    try await withWorkerPool(.processes(width)) { pool in
      _ = try await pool.map(0..<(8 * width), with: worker, options: MapOptions(chunking: .size(1)))
      let (start, threads) = (SuspendingClock.now, try CPUTime.ofThreads())
      let program = CPUTime.ofProgram()
      let outputs = try await pool.map(0..<count, with: worker, options: options)
      let (used, after) = (CPUTime.ofProgram() - program, try CPUTime.ofThreads())
      sample.report("seconds", "s", (SuspendingClock.now - start) / .seconds(1))
      sample.report("items", "items", Double(count))
      sample.report("parent_cpu", "s", used)
      // What no second CPU would take off the program.
      sample.report("busiest_thread_cpu", "s", after.map { $1 - threads[$0, default: 0] }.max() ?? 0)
      let exits = try await pool.tearDown(worker)
      sample.report("worker_cpu", "s", try exits.reduce(0) { try $0 + $1.result.get() })
      sample.check(outputs.count == count && exits.count == width, "\(outputs.count) outputs, \(exits.count) workers")
    }
  }
}

/// As ``Square``, and says in the end how much time it took of a CPU.
struct MeteredSquare: Worker {
  func setUp(_ context: WorkerContext) -> Double { CPUTime.ofProgram() }
  func process(_ item: Int, state start: inout Double) -> Int { squarePlusOne(item) }
  func tearDown(_ start: Double) -> Double { CPUTime.ofProgram() - start }
}

/// As ``TenMicroseconds``, and says in the end how much time it took of a CPU.
struct MeteredTenMicroseconds: Worker {
  func setUp(_ context: WorkerContext) -> Double { CPUTime.ofProgram() }
  func process(_ item: Int, state start: inout Double) -> UInt64 { spin(UInt64(item), rounds: 6_280) }
  func tearDown(_ start: Double) -> Double { CPUTime.ofProgram() - start }
}
