import Contract
import Kernel
import Millrace

/// W15, shared memory: bytes that workers read where they are, and that come back as memory; an array of 512 MiB that two workers are given;
/// its halves, written by both.
///
/// `size=N` makes the array of so many MiB.
func sharedMemory(_ run: Run) async throws {
  try await sharedBytes(run)
  try await sharedHalves(run)
}

/// As W4 with 1 MiB: 1,000 buffers to two worker processes. `sum`: each is summed there; `xor`: what comes back is made there, and
/// summed here.
private func sharedBytes(_ run: Run) async throws {
  guard run.includes("W15.sum") || run.includes("W15.xor") else { return }
  let plain = (0..<16).map { splitmixBytes(1 << 20, seed: $0 + 1) }
  let buffers = try plain.map { try SharedBytes($0) }
  let count = 1_000
  func total(_ value: ([UInt8]) -> UInt64) -> UInt64 {
    let sums = plain.map(value)
    return (0..<count).reduce(0) { $0 &+ sums[$1 % 16] }
  }
  let (sum, xor) = (total(wordSum), total { wordSum(xored($0)) })
  let options = MapOptions(chunking: .size(1))
  try await withWorkerPool(.processes(Run.workers)) { pool in
    _ = try await pool.map(buffers, with: SumShared(), options: options)
    for sample in run.samples("W15.sum", amount: Double(count), unit: "MiB/s") {
      let items = (0..<count).lazy.map { buffers[$0 % 16] }
      var found: UInt64 = 0
      for try await part in pool.outputs(of: items, with: SumShared(), order: .completion) { found &+= part }
      sample.stop()
      sample.check(found, is: sum)
    }
    _ = try await pool.map(buffers, with: XORShared(), options: options)
    for sample in run.samples("W15.xor", amount: Double(count), unit: "MiB/s") {
      let items = (0..<count).lazy.map { buffers[$0 % 16] }
      var found: UInt64 = 0
      for try await bytes in pool.outputs(of: items, with: XORShared(), order: .completion, options: options) {
        found &+= bytes.withUnsafeBytes(sharedSum)
      }
      sample.stop()
      sample.check(found, is: xor)
    }
  }
}

private func sharedHalves(_ run: Run) async throws {
  let names = ["W15.share", "W15.halves", "W15.halves.threads", "W15.create"]
  guard names.contains(where: run.includes) else { return }
  let words = run.number("size", default: 512) << 17
  let amount = Double(words >> 17)
  for sample in run.samples("W15.create") {
    let array = try SharedArray<UInt64>(count: words, lock: false)
    sample.stop()
    sample.check(array[words - 1], is: 0)
  }
  let array = try SharedArray<UInt64>(count: words, lock: false)
  let halves = [Half(array: array, range: 0..<words / 2), Half(array: array, range: words / 2..<words)]
  for (suffix, backend) in [
    ("", WorkerPool.Backend.processes(Run.workers)), (".threads", .threads(Run.workers)),
  ] {
    try await withWorkerPool(backend) { pool in
      let options = MapOptions(chunking: .size(1), dispatch: .roundRobin)
      // Workers that are there.
      _ = try await pool.map([0, 1], with: Warm(), options: options)
      if suffix.isEmpty {
        let small = try SharedArray<UInt64>(count: 1, lock: false)
        _ = try await pool.map([small, small], with: FirstWord(), options: options)
        for sample in run.samples("W15.share") {
          // One that they have not seen; what it takes to make is another figure.
          let fresh = try SharedArray<UInt64>(count: words, lock: false)
          let start = SuspendingClock.now
          let found = try await pool.map([fresh, fresh], with: FirstWord(), options: options)
          sample.report("seconds", "s", (SuspendingClock.now - start) / .seconds(1))
          sample.check(found[0] &+ found[1], is: 0)
        }
      }
      for value in [UInt8(1), 2] {
        try await pool.forEach(halves.map { $0.filled(with: value) }, with: Fill(), options: options)
      }
      for sample in run.samples("W15.halves" + suffix, amount: amount, unit: "MiB/s") {
        try await pool.forEach(halves.map { $0.filled(with: 3) }, with: Fill(), options: options)
        sample.stop()
        sample.check(array[0] &+ array[words - 1], is: 0x0606_0606_0606_0606)
      }
    }
  }
}

private func sharedSum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  bytes.assumingMemoryBound(to: UInt64.self).reduce(0, &+)
}

struct SumShared: StatelessWorker {
  func process(_ bytes: SharedBytes) -> UInt64 { bytes.withUnsafeBytes(sharedSum) }
}

struct XORShared: StatelessWorker {
  func process(_ bytes: SharedBytes) throws -> SharedBytes {
    try SharedBytes(count: bytes.count) { target in
      bytes.withUnsafeBytes { source in
        let source = source.assumingMemoryBound(to: UInt64.self)
        let target = target.assumingMemoryBound(to: UInt64.self)
        for index in source.indices { target[index] = source[index] ^ 0x5A5A_5A5A_5A5A_5A5A }
      }
    }
  }
}

struct Half: Codable, Sendable {
  var array: SharedArray<UInt64>
  var range: Range<Int>
  var value: UInt8 = 0

  func filled(with value: UInt8) -> Half {
    var half = self
    half.value = value
    return half
  }
}

struct Warm: StatelessWorker {
  func process(_ item: Int) -> Int { item }
}

struct FirstWord: StatelessWorker {
  func process(_ array: SharedArray<UInt64>) -> UInt64 { array[0] }
}

/// Writes as the limit does, by the C library's `memset`.
struct Fill: StatelessWorker {
  func process(_ half: Half) {
    half.array.withUnsafeMutableBufferPointer { buffer in
      let bytes = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[half.range]))
      bytes.initializeMemory(as: UInt8.self, repeating: half.value)
    }
  }
}
