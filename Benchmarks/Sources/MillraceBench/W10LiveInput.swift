import Contract
import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// W10, live input: an item each so often; how long it takes from the item to its outcome, default options.
///
/// Each item is the time at which it was made, and its output is the same. Then a burst of items, and a pause: how long the
/// item behind the pause takes.
func liveInput(_ run: Run) async throws {
  let backends: [(String, WorkerPool.Backend)] = [("", .processes(Run.workers)), (".threads", .threads(Run.workers))]
  for (suffix, backend) in backends {
    for (name, gap, count) in [("1ms", 1_000, 1_000), ("20ms", 20_000, 100), ("500ms", 500_000, 8)] {
      try await live(run, "W10.live.async.\(name)\(suffix)", backend) { asynchronous(gap, count) }
      try await live(run, "W10.live.blocking.\(name)\(suffix)", backend) { Ticks(gap: gap, count: count) }
      try await lines(run, "W10.live.lines.\(name)\(suffix)", backend, gap, count)
    }
    try await burst(run, "W10.burst\(suffix)", backend)
    try await fullRate(run, suffix, backend)
  }
}

/// The time of the monotonic clock, in nanoseconds.
func now() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Hands its items back.
struct Echo: StatelessWorker {
  func process(_ item: UInt64) -> UInt64 { item }
}

private struct Number: StatelessWorker {
  func process(_ line: String) -> UInt64 { UInt64(line) ?? 0 }
}

/// A sequence that blocks until its next item is due.
private struct Ticks: Sequence, IteratorProtocol {
  let gap: Int
  var count: Int

  mutating func next() -> UInt64? {
    guard count > 0 else { return nil }
    count -= 1
    usleep(UInt32(gap))
    return now()
  }
}

private func asynchronous(_ gap: Int, _ count: Int) -> AsyncStream<UInt64> {
  let (items, continuation) = AsyncStream.makeStream(of: UInt64.self)
  Task.detached {
    for _ in 0..<count {
      try await Task.sleep(for: .microseconds(gap))
      continuation.yield(now())
    }
    continuation.finish()
  }
  return items
}

private func report(_ sample: Sample, _ latencies: [UInt64], _ count: Int) {
  sample.check(latencies.count == count, "\(latencies.count) outcomes for \(count) items")
  let sorted = latencies.sorted()
  guard !sorted.isEmpty else { return }
  sample.report("p50", "s", Double(sorted[sorted.count / 2]) / 1e9)
  sample.report("p99", "s", Double(sorted[min(sorted.count - 1, sorted.count * 99 / 100)]) / 1e9)
}

private func live<S: AsyncSequence>(
  _ run: Run, _ variant: String, _ backend: WorkerPool.Backend, _ items: () -> S
) async throws where S.Element == UInt64 {
  guard run.includes(variant) else { return }
  try await withWorkerPool(backend) { pool in
    _ = try await pool.map([0, 1], with: Echo())
    for sample in run.samples(variant) {
      var latencies: [UInt64] = []
      for try await made in pool.outputs(of: items(), with: Echo(), order: .completion) {
        latencies.append(now() - made)
      }
      report(sample, latencies, expected(variant))
    }
  }
}

private func live<S: Sequence>(
  _ run: Run, _ variant: String, _ backend: WorkerPool.Backend, _ items: () -> S
) async throws where S.Element == UInt64 {
  guard run.includes(variant) else { return }
  try await withWorkerPool(backend) { pool in
    _ = try await pool.map([0, 1], with: Echo())
    for sample in run.samples(variant) {
      var latencies: [UInt64] = []
      for try await made in pool.outputs(of: items(), with: Echo(), order: .completion) {
        latencies.append(now() - made)
      }
      report(sample, latencies, expected(variant))
    }
  }
}

private func expected(_ variant: String) -> Int {
  variant.contains(".1ms") ? 1_000 : variant.contains(".20ms") ? 100 : 8
}

/// The lines of a pipe that another thread writes.
private struct Lines: Sequence, IteratorProtocol {
  // One iterator reads; the file is closed by the end of the program.
  nonisolated(unsafe) let file: UnsafeMutablePointer<FILE>

  mutating func next() -> String? {
    var buffer = [CChar](repeating: 0, count: 64)
    guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
    return String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

private func lines(_ run: Run, _ variant: String, _ backend: WorkerPool.Backend, _ gap: Int, _ count: Int) async throws
{
  guard run.includes(variant) else { return }
  try await withWorkerPool(backend) { pool in
    _ = try await pool.map(["0", "1"], with: Number())
    for sample in run.samples(variant) {
      var ends: [Int32] = [0, 0]
      guard pipe(&ends) == 0, let file = fdopen(ends[0], "r") else { Run.fail("\(variant): no pipe") }
      let writing = ends[1]
      // In a task of its own, for it only sleeps and writes.
      Task.detached {
        for _ in 0..<count {
          try await Task.sleep(for: .microseconds(gap))
          let line = "\(now())\n"
          _ = line.withCString { write(writing, $0, strlen($0)) }
        }
        close(writing)
      }
      var latencies: [UInt64] = []
      for try await made in pool.outputs(of: Lines(file: file), with: Number(), order: .completion) {
        latencies.append(now() - made)
      }
      fclose(file)
      report(sample, latencies, count)
    }
  }
}

private func burst(_ run: Run, _ variant: String, _ backend: WorkerPool.Backend) async throws {
  guard run.includes(variant) else { return }
  let count = 200_000
  try await withWorkerPool(backend) { pool in
    _ = try await pool.map([0, 1], with: Echo())
    for sample in run.samples(variant) {
      let (items, continuation) = AsyncStream.makeStream(of: UInt64.self)
      let begun = now()
      for _ in 0..<count { continuation.yield(begun) }
      Task.detached {
        try await Task.sleep(for: .milliseconds(500))
        continuation.yield(now())
        continuation.finish()
      }
      var (taken, burst, last) = (0, UInt64(0), UInt64(0))
      for try await made in pool.outputs(of: items, with: Echo(), order: .completion) {
        taken += 1
        if taken == count { burst = now() - begun }
        if made != begun { last = now() - made }
      }
      sample.check(taken == count + 1, "\(taken) outcomes for \(count + 1) items")
      sample.report("rate", "items/s", Double(count) / (Double(burst) / 1e9))
      sample.report("behind_pause", "s", Double(last) / 1e9)
    }
  }
}
