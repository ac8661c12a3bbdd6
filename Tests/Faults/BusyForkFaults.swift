import Millrace
import MillraceIPC
import MillraceTesting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

private struct Row: Sendable {
  var number: Int
  var text: String
}

extension Faults {
  /// Forks of a program whose other threads hold what the child needs.
  @Suite(.forks, .timeLimit(.minutes(1))) struct BusyForks {
    @Test(
      "a worker that was forked while another thread asked for the name of a type is replaced",
      arguments: [WorkerPool.Backend.processes(1), Backends.forking, .sockets(1)])
    func names(backend: WorkerPool.Backend) async throws {
      let (isOver, ended) = (CommonCounter(), CommonCounter())
      for number in 1...2 {
        try startThread("names-\(number)") {
          while isOver.value == 0 { _ = String(reflecting: [Row].self).count }
          ended.increment()
        }
      }
      defer {
        isOver.set(1)
        while ended.value < 2 { sched_yield() }
      }
      try await withWorkerPool(backend) { pool in
        // Each closure has a fork of its own.
        for round in 0..<20 {
          let rows = try await pool.map(0..<4) { Row(number: $0 + round, text: "\($0)") }
          #expect(rows.map(\.number) == Array(round..<round + 4))
        }
      }
    }
  }
}
