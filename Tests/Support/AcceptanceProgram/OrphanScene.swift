import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// A program that is the first of all processes, and whose workers are ended for an item that leaves processes behind:
  /// how many of them are still there, dead or alive?
  static func first(_ backend: WorkerPool.Backend) async throws {
    guard getpid() == 1 else { exit(77) }
    try await withWorkerPool(backend) { pool in
      let options = MapOptions(chunking: .size(1), timeouts: MapOptions.Timeouts(item: .milliseconds(300)))
      for try await _ in pool.outcomes(of: 0..<3, with: Littering(), options: options) {}
    }
    let left = names(in: "/proc").compactMap { pid_t($0) }.filter { $0 != 1 }
    say("\(left.count) left")
    for process in left { say(text(of: "/proc/\(process)/stat")) }
  }
}

/// Leaves processes behind of every kind, and never ends.
struct Littering: StatelessWorker {
  func process(_ item: Int) {
    for words in ["sleep 1000 & sleep 1000 &", "trap '' TERM; sleep 1000 &", "trap '' TERM; setsid sleep 1000 &"] {
      var child: pid_t = 0
      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(words), nil]
      posix_spawnp(&child, "sh", nil, nil, &arguments, environ)
    }
    while true { usleep(10_000) }
  }
}
