import MillraceTesting
import Millrace
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#endif

private struct Halves: StatelessWorker, Codable {
  func process(_ item: Int) -> Int { item / 2 }
}

extension Checked {
  @Suite("A pool with nothing to do", .timeLimit(.minutes(1))) struct IdlePools {
    @Test(
      "uses no CPU, nor do its processes",
      arguments: [WorkerPool.Backend.threads(3), .tasks(3), .processes(3), Backends.forking, Backends.crowded].runnable)
    func idle(backend: WorkerPool.Backend) async throws {
      try await withWorkerPool(backend) { pool in
        _ = try await pool.map(0..<10_000, with: Halves())
        let before = cpuTime()
        // What is measured is the time that is used meanwhile.
        try await Task.sleep(for: .seconds(1))
        let used = cpuTime() - before
        // Whoever polls every millisecond, or spins, uses more.
        #expect(used < .milliseconds(100), "\(used)")
        #expect(try await pool.map([4], with: Halves()) == [2])
      }
    }

    /// What this process has used, and those that it has started, as far as they are there.
    private func cpuTime() -> Duration {
      let ticks = ([getpid()] + descendants(of: getpid())).reduce(0) { sum, process in
        let stat = ProcFS.text(of: "/proc/\(process)/stat") ?? ""
        // Behind the name, which may have anything in it: the 12th and the 13th.
        let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 12 ? sum + (Int(fields[11]) ?? 0) + (Int(fields[12]) ?? 0) : sum
      }
      return .seconds(1) * ticks / Int(sysconf(Int32(_SC_CLK_TCK)))
    }
  }
}
