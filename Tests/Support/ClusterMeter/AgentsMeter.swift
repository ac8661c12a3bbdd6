#if Cluster
import Millrace
import MillraceCluster
import MillraceIPC

#if canImport(Glibc)
import Glibc
#endif

/// What a server makes of many agents: each leases, waits as long as a chunk would take, completes, and says that it lives, as agents do, over
/// connections of its own; nothing is computed. Prints the chunks a second, the CPU time that each costs the server, and how long an agent is
/// without work between two, of which a fifth is noise where agents and server share two CPUs.
///
/// `ClusterMeter agents COUNT MILLISECONDS SECONDS`
enum AgentsMeter {
  private struct Tally {
    var isOver = false
    var completed = 0
    var gaps: [UInt64] = []
  }

  static func measure(agents count: Int, chunk: Duration, for time: Duration) async throws {
    let before = servers()
    let server = try ManagedServer(more: ["maxclients \(4 * count + 100)"])
    let driver = RedisEngine(server.address, job: "many", lease: .seconds(30), end: { server.end })
    _ = try await driver.open(Array("many".utf8))
    guard let process = servers().subtracting(before).first else { fatalError("the server is gone") }

    let tally = Lock(Tally())
    let agents = (0..<count).map { number in
      Task {
        let name = "agent-\(number)"
        let queue = RedisEngine(server.address, job: "many", lease: .seconds(30))
        try await queue.join(Member(name: name))
        let beats = Task {
          while !Task.isCancelled {
            _ = try await queue.renew([], for: name)
            try await Task.sleep(for: .seconds(1))
          }
        }
        var free = MonotonicTime.now
        while !tally.withLock({ $0.isOver }) {
          for lease in try await queue.lease(upTo: 1, for: name, within: .seconds(1)) {
            let gap = MonotonicTime.now &- free
            try await Task.sleep(for: chunk)
            free = MonotonicTime.now
            let isFirst = try await queue.complete(lease.work.id, [0], by: name)
            tally.withLock { tally in
              tally.completed += isFirst ? 1 : 0
              tally.gaps.append(gap)
            }
          }
        }
        beats.cancel()
        _ = await beats.result
        try await queue.leave(name)
        await queue.close()
      }
    }

    // Twice as many chunks as there are agents, as the width is by default.
    let bytes = [UInt8](repeating: 0, count: 200)
    var (last, out) = (UInt64(0), 0)
    var (begun, had, cost) = (MonotonicTime.now, 0, 0.0)
    var isWarm = false
    while true {
      if out < 2 * count {
        let work = (0..<min(64, 2 * count - out)).map { Work(id: last + 1 + UInt64($0), bytes: bytes) }
        try await driver.submit(work)
        last += UInt64(work.count)
        out += work.count
      }
      if out == 2 * count {
        let results = try await driver.results(upTo: 256, within: .milliseconds(500))
        out -= results.count
        if !results.isEmpty { try await driver.settle() }
      }
      let now = MonotonicTime.now
      if !isWarm, tally.withLock({ $0.completed }) >= 2 * count {
        // From here on all have joined.
        isWarm = true
        had = tally.withLock { tally in
          tally.gaps = []
          return tally.completed
        }
        (begun, cost) = (now, spent(by: process))
      }
      if isWarm, now &- begun >= time.nanoseconds { break }
    }
    let seconds = Double(MonotonicTime.now &- begun) / 1e9
    let used = spent(by: process) - cost
    let (chunks, gaps) = tally.withLock { tally in
      tally.isOver = true
      return (tally.completed - had, tally.gaps.sorted())
    }
    print(
      "\(count) agents, chunks of \(chunk): \(Int(Double(chunks) / seconds)) a second of \(Int(Double(count) / (Double(chunk.nanoseconds) / 1e9)))"
    )
    print(
      "  the server: \(Int(used / seconds * 100)) % of a CPU, \(Int(used / Double(max(1, chunks)) * 1e6)) us a chunk")
    if !gaps.isEmpty {
      print(
        "  between two chunks: p50 \(gaps[gaps.count / 2] / 1_000) us, p99 \(gaps[gaps.count * 99 / 100] / 1_000) us")
    }
    for agent in agents { try await agent.value }
    try await driver.finish()
    await driver.close()
    await server.end()
  }

  private static func servers() -> Set<Int> {
    Set(
      processes().filter { text("/proc/\($0)/comm") == "redis-server\n" })
  }

  private static func processes() -> [Int] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var found: [Int] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if let number = Int(name) { found.append(number) }
    }
    return found
  }

  /// CPU time, in seconds.
  private static func spent(by process: Int) -> Double {
    let fields = (text("/proc/\(process)/stat").split(separator: ")").last ?? "").split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  private static func text(_ path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
#endif
