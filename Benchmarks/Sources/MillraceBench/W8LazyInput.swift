import Contract
import Kernel
import Millrace
import Synchronization

/// W8, lazy input and bounded memory: how much the program grows over a long input, and with `mode=stalled` how far
/// the input is read ahead while nobody takes results.
///
/// `n=N` and `m=N` are the lengths of the two inputs.
func lazyInput(_ run: Run) async throws {
  let isStalled: Bool
  switch run["mode"] {
  case nil: isStalled = false
  case "stalled": isStalled = true
  case let mode?: Run.refuse("mode=\(mode): 'stalled' is the only one")
  }
  let name = isStalled ? "W8.stalled.one" : "W8"
  let backends: [(String, WorkerPool.Backend)] = [
    (name, .processes(Run.workers)), (name + ".threads", .threads(Run.workers)),
  ]
  for (variant, backend) in backends where run.includes(variant) {
    try await withWorkerPool(backend) { pool in
      _ = try await pool.map(0..<8, with: Square())
      if isStalled {
        try await stalled(run, variant, pool)
      } else {
        try await growth(run, variant, pool)
      }
    }
  }
}

private func growth(_ run: Run, _ variant: String, _ pool: WorkerPool) async throws {
  let count = run.number("n", default: 50_000_000)
  let expected = (0..<count).reduce(0) { $0 &+ squarePlusOne($1) }
  let options = MapOptions(chunking: .size(10_000))
  let base = try Memory.resident()
  try Memory.forgetPeak()
  for sample in run.samples(variant, amount: Double(count)) {
    var sum = 0
    for try await number in pool.outputs(
      of: Numbers(count, Drawn()), with: Square(), order: .completion, options: options)
    {
      sum &+= number
    }
    sample.stop()
    sample.check(sum == expected, "the sum is \(sum), not \(expected)")
    let peak = try Memory.peak()
    sample.report("peak_rss", "MiB", peak)
    sample.report("peak_rss_over_start", "MiB", peak - base)
  }
}

private func stalled(_ run: Run, _ variant: String, _ pool: WorkerPool) async throws {
  let count = run.number("m", default: 300_000)
  let options = MapOptions(chunking: .size(1))
  for sample in run.samples(variant) {
    let drawn = Drawn()
    let base = try Memory.resident()
    var taken = 0
    for try await _ in pool.outputs(of: Numbers(count, drawn), with: Square(), order: .completion, options: options) {
      taken += 1
      if taken == 1 {
        try await Task.sleep(for: .seconds(2))
        sample.report("read_ahead", "items", Double(drawn.count))
        sample.report("rss_growth", "MiB", try Memory.resident() - base)
      }
    }
    sample.check(taken == count, "\(taken) results for \(count) items")
  }
}

/// How many items were drawn from an input.
final class Drawn: Sendable {
  private let value = Atomic<Int>(0)
  var count: Int { value.load(ordering: .relaxed) }
  func set(_ count: Int) { value.store(count, ordering: .relaxed) }
}

/// 0, 1, 2 …, of a length that nobody knows in advance.
struct Numbers: Sequence, IteratorProtocol {
  private let count: Int
  private let drawn: Drawn
  private var position = 0

  init(_ count: Int, _ drawn: Drawn) {
    self.count = count
    self.drawn = drawn
  }

  mutating func next() -> Int? {
    guard position < count else { return nil }
    defer { position += 1 }
    drawn.set(position + 1)
    return position
  }
}
