#if Cluster
import Millrace
import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// The workload W16 of Benchmarks/README.md, in the contract's words: a cluster on this machine, a server of its own and two agents with a worker
/// process each. Here, for it needs the trait `Cluster`, which the benchmarks' package does without.
///
/// `scripts/bench --only W16`.
@main
struct ClusterMeter {
  static func main() async throws {
    let words = CommandLine.arguments
    if words.count == 5, words[1] == "agents", let count = Int(words[2]), let milliseconds = Int(words[3]),
      let seconds = Int(words[4]), count > 0
    {
      return try await AgentsMeter.measure(agents: count, chunk: .milliseconds(milliseconds), for: .seconds(seconds))
    }
    if words.count == 3, words[1] == "tls", let repetitions = Int(words[2]), repetitions > 0 {
      return try await TLSMeter.measure(repetitions)
    }
    guard words.count == 3 || words.count == 4, words[1] == "W16", let repetitions = Int(words[2]), repetitions > 0
    else {
      print(
        "usage: ClusterMeter W16 REPS [VARIANT], ClusterMeter tls REPS, or ClusterMeter agents COUNT MILLISECONDS SECONDS"
      )
      exit(64)
    }
    func isWanted(_ variants: String...) -> Bool { words.count == 3 || variants.contains(words[3]) }
    let cluster = WorkerPool.Backend.cluster(engine: .managed, launch: .local(agents: 2, slots: 1), width: 64)
    if isWanted("W16.start") {
      for _ in 0..<repetitions {
        try await sample("W16.start") { sample in
          try await withWorkerPool(cluster) { pool in
            _ = try await pool.run(1, with: AddOne())
            sample.stop()
          }
        }
      }
    }
    try await withWorkerPool(cluster) { pool in
      _ = try await pool.run(1, with: AddOne())
      // Workers that the agents do not have yet, and agents that have nothing to do.
      for number in 1...5 * repetitions where isWanted("W16.first") {
        try await sample("W16.first") { sample in
          let output = try await pool.run(1, with: AddSome(some: number))
          sample.stop()
          check("W16.first", output == 1 + number)
        }
      }
      for _ in 0..<repetitions {
        if isWanted("W16.trip") { try await trips(pool) }
        if isWanted("W16.one") { try await items(pool, "W16.one", 20_000, chunk: 1) }
        if isWanted("W16.hundred") { try await items(pool, "W16.hundred", 1_000_000, chunk: 100) }
        if isWanted("W16.digest") { try await digests(pool) }
      }
      if isWanted("W16.pause") { try await pauses(pool, "W16.pause", repetitions) }
    }
    if isWanted("W16.pause") {
      try await withWorkerPool(.processes(2)) { pool in try await pauses(pool, "W16.pause.local", repetitions) }
    }
  }

  private static func trips(_ pool: WorkerPool) async throws {
    let trips = 500
    try await sample("W16.trip") { sample in
      for item in 0..<trips { _ = try await pool.run(item, with: AddOne()) }
      sample.stop(per: trips)
    }
  }

  static func items(_ pool: WorkerPool, _ variant: String, _ items: Int, chunk: Int) async throws {
    try await sample(variant) { sample in
      var sum = 0
      for try await output in pool.outputs(
        of: 0..<items, with: AddOne(), options: MapOptions(chunking: .size(chunk)))
      {
        sum &+= output
      }
      sample.stop(items, "items/s")
      check(variant, sum == items * (items + 1) / 2)
    }
  }

  static func digests(_ pool: WorkerPool, _ variant: String = "W16.digest") async throws {
    let blocks = 200
    let block = [UInt8](repeating: 7, count: 1 << 20)
    try await sample(variant) { sample in
      var sum: UInt64 = 0
      for try await output in pool.outputs(
        of: repeatElement(block, count: blocks), with: Digest(), options: MapOptions(chunking: .size(1)))
      {
        sum &+= output
      }
      sample.stop(blocks, "MiB/s")
      check(variant, sum == UInt64(blocks) &* (0x0707_0707_0707_0707 &* (1 << 17)))
    }
  }

  /// Chunks of 5 ms each, in which nothing is computed, so that nothing else is slower for it: what is lost between them.
  private static func pauses(_ pool: WorkerPool, _ variant: String, _ repetitions: Int) async throws {
    let items = 400
    _ = try await pool.map(0..<8, with: Pause(), options: MapOptions(chunking: .size(1)))
    for _ in 0..<repetitions {
      try await sample(variant) { sample in
        let outputs = try await pool.map(0..<items, with: Pause(), options: MapOptions(chunking: .size(1)))
        sample.stop()
        check(variant, outputs == Array(0..<items))
      }
    }
  }

  private static func sample(_ variant: String, _ body: (Sample) async throws -> Void) async throws {
    try await body(Sample(variant: variant, begun: .now))
  }

  private static func check(_ variant: String, _ isRight: Bool) {
    if !isRight { say("E \(variant): wrong results") }
  }
}

/// One repetition, whose clock runs.
struct Sample {
  let variant: String
  let begun: ContinuousClock.Instant

  func stop(per calls: Int = 1) {
    say("R \(variant) seconds s \((ContinuousClock.now - begun) / .seconds(1) / Double(calls))")
  }

  func stop(_ amount: Int, _ unit: String) {
    let seconds = (ContinuousClock.now - begun) / .seconds(1)
    say("R \(variant) seconds s \(seconds)")
    say("R \(variant) rate \(unit) \(Double(amount) / seconds)")
  }
}

private func say(_ line: String) {
  print(line)
  fflush(nil)
}

struct AddOne: StatelessWorker {
  func process(_ item: Int) -> Int { item + 1 }
}

struct AddSome: StatelessWorker {
  let some: Int
  func process(_ item: Int) -> Int { item + some }
}

struct Pause: StatelessWorker {
  func process(_ item: Int) -> Int {
    usleep(5_000)
    return item
  }
}

/// Something short of something long: the sum of its words.
struct Digest: StatelessWorker {
  func process(_ item: [UInt8]) -> UInt64 {
    item.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 8).reduce(0) {
        $0 &+ bytes.loadUnaligned(fromByteOffset: $1, as: UInt64.self)
      }
    }
  }
}
#else
/// Without the trait `Cluster` there is nothing to measure.
@main
struct ClusterMeter {
  static func main() { print("build it with the trait Cluster") }
}
#endif
