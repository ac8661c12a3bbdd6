import Millrace
import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// A program that may be killed, and goes on where it stopped when it is started again.
///
/// `ClusterProgram URL JOB COUNT FILE`: a line of the file for each outcome that it has had.
@main
struct ClusterProgram {
  static func main() async throws {
    #if Cluster
    let words = CommandLine.arguments
    guard words.count == 5, let count = Int(words[3]) else { exit(64) }
    let file = open(words[4], O_WRONLY | O_APPEND | O_CLOEXEC)
    guard file >= 0 else { exit(66) }
    let backend = WorkerPool.Backend.cluster(
      engine: .redis(words[1], job: words[2]), launch: .local(agents: 2), lease: .seconds(2))
    try await withWorkerPool(backend) { pool in
      for try await outcome in pool.outcomes(of: 0..<count, with: Slowly(), resuming: "squares") {
        let line = Array("\(outcome.index) \(try outcome.output)\n".utf8)
        guard write(file, line, line.count) == line.count else { exit(74) }
      }
    }
    close(file)
    #endif
  }
}

struct Slowly: StatelessWorker {
  func process(_ item: Int) async throws -> Int {
    try await Task.sleep(for: .milliseconds(5))
    return item * item
  }
}
