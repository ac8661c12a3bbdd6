#if Cluster
import Millrace
import MillraceCluster

/// What a cluster on this machine does in a second: two agents, a server of its own. Prints, and asserts nothing.
///
/// `swift run -c release ClusterMeter`, with the trait `Cluster`.
@main
struct ClusterMeter {
  static func main() async throws {
    try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 2), width: 64)) { pool in
      let begun = ContinuousClock.now
      _ = try await pool.run(1, with: AddOne())
      say("from nothing to the first result", ContinuousClock.now - begun)

      let trips = 500
      let alone = try await timed { for item in 0..<trips { _ = try await pool.run(item, with: AddOne()) } }
      say("round trip, nothing else under way", alone / trips)

      try await rate("items a second, one by one", pool, items: 20_000, chunk: 1)
      try await rate("items a second, in chunks of 100", pool, items: 1_000_000, chunk: 100)

      let blocks = 200
      let block = [UInt8](repeating: 7, count: 1 << 20)
      let time = try await timed {
        let items = repeatElement(block, count: blocks)
        for try await _ in pool.outputs(of: items, with: Digest(), options: MapOptions(chunking: .size(1))) {}
      }
      print("MiB a second, 1 MiB in and a digest out: \(Int(Double(blocks) / time.seconds))")
    }
  }

  private static func rate(_ what: String, _ pool: WorkerPool, items: Int, chunk: Int) async throws {
    let options = MapOptions(chunking: .size(chunk))
    let time = try await timed { for try await _ in pool.outputs(of: 0..<items, with: AddOne(), options: options) {} }
    print("\(what): \(Int(Double(items) / time.seconds))")
  }

  private static func timed(_ body: () async throws -> Void) async rethrows -> Duration {
    let begun = ContinuousClock.now
    try await body()
    return ContinuousClock.now - begun
  }

  private static func say(_ what: String, _ time: Duration) {
    print("\(what): \(time.formatted)")
  }
}

struct AddOne: StatelessWorker {
  func process(_ item: Int) -> Int { item + 1 }
}

/// Fowler, Noll and Vo's, for something short of something long.
struct Digest: StatelessWorker {
  func process(_ item: [UInt8]) -> UInt64 {
    item.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

extension Duration {
  fileprivate var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
  fileprivate var formatted: String { "\(Double(Int(seconds * 100_000)) / 100) ms" }
}
#else
/// Without the trait `Cluster` there is nothing to measure.
@main
struct ClusterMeter {
  static func main() { print("build it with the trait Cluster") }
}
#endif
