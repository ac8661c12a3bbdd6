import Contract
import Kernel
import Millrace

/// How the cost of an item grows: with the number of items, of workers, of bytes in an item, of items in the window.
///
/// `axis=items|width|payload|window` says what grows, `most=N` how far. A variant is `growth.AXIS.SERIES.VALUE`, its rate
/// is in items a second. Pools have their workers set up before.
func growth(_ run: Run) async throws {
  switch run["axis"] {
  case "items": try await growingInput(run)
  case "width": try await growingWidth(run)
  case "payload": try await growingPayload(run)
  case "window": try await growingWindow(run)
  case let axis: Run.refuse("axis=\(axis ?? ""): one of items, width, payload, window")
  }
}

private let backends: [(String, WorkerPool.Backend)] = [
  ("threads", .threads(Run.workers)), ("processes", .processes(Run.workers)),
]

/// What is measured, as far as `most` allows.
private func values(_ run: Run, _ values: [Int]) -> [Int] {
  let most = run.number("most", default: .max)
  return values.filter { $0 <= most }
}

// MARK: The number of items

private func growingInput(_ run: Run) async throws {
  let lengths = values(run, [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000])
  for length in lengths where run.includes("growth.items.parallelMap.\(length)") {
    let input = (0..<length).map(Int64.init)
    try await measure(run, "items.parallelMap.\(length)", length) {
      input.parallelMap(width: Run.workers) { squarePlusOne($0) }.count
    }
  }
  for (name, backend) in backends {
    try await withWorkerPool(backend) { pool in
      for length in lengths {
        try await measure(run, "items.\(name)_map.\(length)", length) {
          try await pool.map(0..<length, with: Square()).count
        }
        try await measure(run, "items.\(name)_stream.\(length)", length) {
          try await count(pool.outputs(of: 0..<length, with: Square()))
        }
      }
    }
  }
}

/// Measures a map of so many items, which returns how many it has made; short maps several times in each repetition.
private func measure(
  _ run: Run, _ variant: String, _ length: Int, times: Int? = nil, _ map: () async throws -> Int
) async throws {
  let variant = "growth." + variant
  guard run.includes(variant) else { return }
  let times = times ?? max(1, 100_000 / length)
  // Sets the workers up, and touches the memory that is used again.
  if length <= 1_000_000 { _ = try await map() }
  for sample in run.samples(variant, amount: Double(length * times)) {
    var made = 0
    for _ in 0..<times { made += try await map() }
    sample.stop()
    sample.check(made == length * times, "\(made) outputs for \(length * times) items")
  }
}

private func count<Output, Items>(_ stream: OutputSequence<Output, Items>) async throws -> Int {
  var count = 0
  for try await _ in stream { count += 1 }
  return count
}

// MARK: The number of workers

private func growingWidth(_ run: Run) async throws {
  let one = MapOptions(chunking: .size(1))
  for width in values(run, [1, 2, 4, 8, 16, 32, 64]) {
    let input = (0..<1_000_000).map(Int64.init)
    try await measure(run, "width.parallelMap.\(width)", input.count, times: 10) {
      input.parallelMap(width: width) { squarePlusOne($0) }.count
    }
    for (name, backend) in [("threads", WorkerPool.Backend.threads(width)), ("processes", .processes(width))] {
      guard ["", "_chunk1", "_10us"].contains(where: { run.includes("growth.width.\(name)\($0).\(width)") }) else {
        continue
      }
      try await withWorkerPool(backend) { pool in
        try await measure(run, "width.\(name).\(width)", 1_000_000) {
          try await pool.map(0..<1_000_000, with: Square()).count
        }
        try await measure(run, "width.\(name)_chunk1.\(width)", 50_000, times: 1) {
          try await pool.map(0..<50_000, with: Square(), options: one).count
        }
        try await measure(run, "width.\(name)_10us.\(width)", 50_000, times: 1) {
          try await pool.map(0..<50_000, with: TenMicroseconds()).count
        }
      }
    }
  }
}

/// An item of some 10 µs.
struct TenMicroseconds: StatelessWorker {
  func process(_ item: Int) -> UInt64 { spin(UInt64(item), rounds: 6_280) }
}

// MARK: The bytes of an item

private func growingPayload(_ run: Run) async throws {
  let sizes = values(run, [8, 64, 512, 4 << 10, 32 << 10, 256 << 10, 2 << 20, 16 << 20, 64 << 20])
  for (name, backend) in backends {
    try await withWorkerPool(backend) { pool in
      for size in sizes where run.includes("growth.payload.\(name).\(size)") {
        let buffer = splitmixBytes(size, seed: 1)
        let expected = wordSum(xored(buffer))
        let count = min(max(8, (256 << 20) / size), 200_000)
        try await measure(run, "payload.\(name).\(size)", count, times: 1) {
          var right = 0
          for try await bytes in pool.outputs(of: repeatElement(buffer, count: count), with: XOR()) {
            if wordSum(bytes) == expected { right += 1 }
          }
          return right
        }
      }
    }
  }
}

// MARK: The items in the window

private func growingWindow(_ run: Run) async throws {
  for (name, backend) in backends {
    try await withWorkerPool(backend) { pool in
      for window in values(run, [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536]) {
        for (suffix, chunking, most) in [
          ("", MapOptions.Chunking.automatic, 1_000_000), ("_chunk1", .size(1), 100_000),
        ] {
          let options = MapOptions(chunking: chunking, window: .items(window))
          // In a narrow window an item takes as long as a change of threads.
          let length = min(most, window * 2_000)
          try await measure(run, "window.\(name)\(suffix).\(window)", length, times: 1) {
            try await count(pool.outputs(of: 0..<length, with: Square(), options: options))
          }
        }
      }
    }
  }
}
