import Contract
import Kernel
import Millrace

/// W1, the tiny map in threads: `x * x + 1` of 0, 1, 2 …
func tinyMap(_ run: Run) async throws {
  let input = (0..<10_000_000).map(Int64.init)
  intoFreshArray(run, input)
  intoMemoryThatIsThere(run, input)
  try await itemByItem(run, Array(input.prefix(1_000_000)))
}

private let checksum: UInt64 = 1_291_890_006_573_070_912
private let itemChecksum: UInt64 = 333_332_833_334_500_000

private func intoFreshArray(_ run: Run, _ input: [Int64]) {
  for sample in run.samples("W1.fresh.serial") {
    let output = [Int64](unsafeUninitializedCapacity: input.count) { buffer, initializedCount in
      for i in input.indices { buffer.initializeElement(at: i, to: squarePlusOne(input[i])) }
      initializedCount = input.count
    }
    sample.stop()
    sample.check(wrappingSum(output), is: checksum)
  }
  for sample in run.samples("W1.fresh") {
    let output = input.parallelMap(width: Run.workers) { squarePlusOne($0) }
    sample.stop()
    sample.check(wrappingSum(output), is: checksum)
  }
}

private func intoMemoryThatIsThere(_ run: Run, _ input: [Int64]) {
  var output = [Int64](repeating: 1, count: input.count)
  for sample in run.samples("W1.reuse.serial") {
    for i in input.indices { output[i] = squarePlusOne(input[i]) }
    sample.stop()
    sample.check(wrappingSum(output), is: checksum)
  }
  output.withUnsafeMutableBufferPointer { buffer in
    // Each index is written by one thread.
    nonisolated(unsafe) let buffer = buffer
    for sample in run.samples("W1.reuse") {
      input.indices.parallelForEachPart(width: Run.workers) { part in
        for i in part { buffer[i] = squarePlusOne(input[i]) }
      }
      sample.stop()
      sample.check(wrappingSum(buffer), is: checksum)
      buffer.update(repeating: 1)
    }
    for sample in run.samples("W1.reuse.forEach") {
      input.indices.parallelForEach(width: Run.workers) { buffer[$0] = squarePlusOne(input[$0]) }
      sample.stop()
      sample.check(wrappingSum(buffer), is: checksum)
      buffer.update(repeating: 1)
    }
  }
}

/// The unit of scheduling is one item.
private func itemByItem(_ run: Run, _ input: [Int64]) async throws {
  var output = [Int64](repeating: 1, count: input.count)
  oneByOne(run, input, &output)
  // One after the other, from a lazy stream: with default settings, alone, with somebody who is told how far it is, and with insights; and
  // in chunks of one, fewer, for somebody is woken for each.
  for (variant, options, count) in [
    ("W1.item.stream", MapOptions(), input.count),
    ("W1.item.stream_shown", MapOptions(progress: .custom(Nowhere())), input.count),
    ("W1.item.stream_insights", MapOptions(), input.count),
    ("W1.item.stream_chunk1", MapOptions(chunking: .size(1)), 20_000),
  ] where run.includes(variant) {
    let input = Array(input.prefix(count))
    let expected = wrappingSum(input.map(squarePlusOne))
    let pool = try WorkerPool(.threads(Run.workers))
    if variant.hasSuffix("insights") { pool.recordInsights() }
    for sample in run.samples(variant) {
      var next = 0
      for try await number in pool.outputs(of: input, options: options, { squarePlusOne($0) }) {
        output[next] = number
        next += 1
      }
      sample.stop()
      sample.check(wrappingSum(output[..<count]), is: expected)
      for i in output.indices { output[i] = 1 }
    }
    try await pool.shutdown()
  }
}

/// Is told how far a map is, and shows it nowhere.
struct Nowhere: ProgressReporter {
  func report(_ state: ProgressState) {}
}

private func oneByOne(_ run: Run, _ input: [Int64], _ output: inout [Int64]) {
  output.withUnsafeMutableBufferPointer { buffer in
    // Each index is written by one thread.
    nonisolated(unsafe) let buffer = buffer
    for sample in run.samples("W1.item") {
      input.indices.parallelForEach(width: Run.workers, grain: 1) { buffer[$0] = squarePlusOne(input[$0]) }
      sample.stop()
      sample.check(wrappingSum(buffer), is: itemChecksum)
      buffer.update(repeating: 1)
    }
  }
}
