import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// A program that ignores what becomes of its children, or takes the status of each of them: what does it hear of its
  /// workers? Ends with the number of a process that one of them had started.
  static func reaped(_ backend: WorkerPool.Backend, _ way: String) async throws {
    if way == "ignores" {
      signal(SIGCHLD, SIG_IGN)
    } else {
      var thread = pthread_t()
      pthread_create(&thread, nil, { _ in while true { if waitpid(-1, nil, 0) < 0 { usleep(100) } } }, nil)
    }
    try await withWorkerPool(backend) { pool in
      var child = 0
      for way in ["exit", "_exit", "trap"] {
        for try await outcome in pool.outcomes(
          of: [way + " starts", way], with: Leaving(), options: MapOptions(chunking: .size(2)))
        {
          switch outcome.result {
          case .success(let output): if way == "_exit" { child = output }
          case .failure(let failure):
            switch failure.cause {
            case .exited(let code): say("\(way): exited \(code)")
            case .crashed(let crash): say("\(way): \(crash.kind)")
            default: say("\(way): \(failure)")
            }
          }
        }
      }
      say("\(child)")
    }
  }
}

/// Starts a process and says its number, or leaves.
struct Leaving: StatelessWorker {
  func process(_ item: String) -> Int {
    switch item {
    case "exit": exit(3)
    case "_exit": _exit(4)
    case "trap": fatalError("a trap")
    default:
      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
      var child: pid_t = 0
      posix_spawnp(&child, "sleep", nil, nil, &arguments, environ)
      return Int(child)
    }
  }
}
