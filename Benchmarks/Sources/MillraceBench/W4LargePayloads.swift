import Contract
import Kernel
import Millrace

/// W4, large payloads: buffers through worker processes and back, each summed as it comes.
///
/// On threads nothing travels: that variant says what the work alone costs. `items=N` measures fewer items.
func largePayloads(_ run: Run) async throws {
  for (mebibytes, count) in [(1, 1_000), (32, 100)] {
    let name = "W4.\(mebibytes)MiB"
    let count = min(count, run.number("items", default: count))
    let backends: [(String, WorkerPool.Backend)] = [
      (name, .processes(Run.workers)), (name + ".threads", .threads(Run.workers)),
    ].filter { run.includes($0.0) }
    guard !backends.isEmpty else { continue }
    let buffers = (0..<16).map { splitmixBytes(mebibytes << 20, seed: $0 + 1) }
    let expected = (0..<count).reduce(into: [UInt64](repeating: 0, count: 16)) { $0[$1 % 16] += 1 }
      .enumerated().reduce(0) { $0 &+ $1.element &* wordSum(xored(buffers[$1.offset])) }

    for (variant, backend) in backends {
      try await withWorkerPool(backend) { pool in
        _ = try await pool.map([[UInt8](repeating: 0, count: 8)], with: XOR())
        for sample in run.samples(variant, amount: Double(mebibytes * count), unit: "MiB/s") {
          let items = (0..<count).lazy.map { buffers[$0 % 16] }
          var sum: UInt64 = 0
          let options = MapOptions(chunking: .size(1))
          for try await buffer in pool.outputs(of: items, with: XOR(), order: .completion, options: options) {
            sum &+= wordSum(buffer)
          }
          sample.stop()
          sample.check(sum, is: expected)
        }
      }
    }
  }
}

struct XOR: StatelessWorker {
  func process(_ bytes: [UInt8]) -> [UInt8] { xored(bytes) }
}
