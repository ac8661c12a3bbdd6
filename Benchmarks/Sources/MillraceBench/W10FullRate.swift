import Contract
import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// W10, the other end of it: what an item costs where the input always has the next one, tiny items, default options; and four
/// single requests at once on a stream that was idle, until the last of their answers is there.
func fullRate(_ run: Run, _ suffix: String, _ backend: WorkerPool.Backend) async throws {
  try await withWorkerPool(backend) { pool in
    _ = try await pool.map([0, 1], with: Echo())
    let count = 1_000_000
    for sample in run.samples("W10.rate.lazy\(suffix)", amount: Double(count)) {
      sample.check(try await total(pool.outputs(of: Counted(count: count), with: Echo(), order: .completion)), count)
    }
    for sample in run.samples("W10.rate.async\(suffix)", amount: Double(count)) {
      sample.check(
        try await total(pool.outputs(of: AsyncCounted(count: count), with: Echo(), order: .completion)), count)
    }
    let few = 200_000
    for sample in run.samples("W10.rate.stream\(suffix)", amount: Double(few)) {
      let items = AsyncStream { continuation in
        for item in Counted(count: few) { continuation.yield(item) }
        continuation.finish()
      }
      sample.check(try await total(pool.outputs(of: items, with: Echo(), order: .completion)), few)
    }
    for sample in run.samples("W10.four\(suffix)") {
      let times = try await four(pool, times: 2_000).sorted()
      sample.report("p50", "s", Double(times[times.count / 2]) / 1e9)
      sample.report("p99", "s", Double(times[times.count * 99 / 100]) / 1e9)
    }
  }
}

private func total<S: AsyncSequence>(_ items: S) async throws -> UInt64 where S.Element == UInt64 {
  var sum: UInt64 = 0
  for try await item in items { sum &+= item }
  return sum
}

/// How long each of so many bursts took, after a pause in which all have gone to sleep.
private func four(_ pool: WorkerPool, times: Int) async throws -> [UInt64] {
  let (items, client) = AsyncStream.makeStream(of: UInt64.self)
  var (taken, left, begun) = (0, times, UInt64(0))
  var latencies: [UInt64] = []
  func burst() async throws {
    try await Task.sleep(for: .microseconds(500))
    begun = now()
    for _ in 0..<4 { client.yield(begun) }
  }
  try await burst()
  for try await _ in pool.outputs(of: items, with: Echo(), order: .completion) {
    taken += 1
    guard taken % 4 == 0 else { continue }
    latencies.append(now() - begun)
    left -= 1
    if left == 0 { client.finish() } else { try await burst() }
  }
  return latencies
}

extension Sample {
  fileprivate func check(_ sum: UInt64, _ count: Int) {
    stop()
    check(sum, is: UInt64(count) * UInt64(count - 1) / 2)
  }
}

/// A sequence of a length that nobody knows, whose next item is there at once.
private struct Counted: Sequence, IteratorProtocol {
  let count: Int
  var position = 0

  mutating func next() -> UInt64? {
    guard position < count else { return nil }
    defer { position += 1 }
    return UInt64(position)
  }
}

/// The same, asynchronous.
private struct AsyncCounted: AsyncSequence, AsyncIteratorProtocol {
  var items: Counted
  init(count: Int) { items = Counted(count: count) }

  func makeAsyncIterator() -> Self { self }
  mutating func next() async -> UInt64? { items.next() }
}
