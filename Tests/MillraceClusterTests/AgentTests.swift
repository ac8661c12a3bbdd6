#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// Maps over agents that are processes, through a real server.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct AgentTests {
    @Test("a map over two agents of a server of its own")
    func managed() async throws {
      try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 2), lease: .seconds(5))) { pool in
        let places = try await pool.map(0..<200, with: Whereabouts(), options: MapOptions(chunking: .size(1)))
        #expect(places.map(\.index) == Array(0..<200))
        #expect(!places.contains { $0.process == getpid() })
        #expect(try await pool.map(0..<1_000, with: Square()) == (0..<1_000).map { $0 * $0 })
      }
    }

    @Test("crashes of workers are their items' failures, with their words")
    func crashes() async throws {
      try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 2), lease: .seconds(5))) { pool in
        var found: [String] = []
        for try await outcome in pool.outcomes(
          of: ["a", "trap", "b", "throw", "exit", "c"], with: Mischief(), options: MapOptions(chunking: .size(2)))
        {
          switch outcome.result {
          case .success(let text): found.append(text)
          case .failure(let failure):
            switch failure.cause {
            case .crashed(let crash):
              found.append("\(crash.kind)")
              #expect(failure.standardError.contains("as asked"), "\(failure.standardError)")
            case .threw(let error): found.append("\(error as? Mischief.Refused == nil)")
            case .exited(let code): found.append("\(code)")
            default: found.append("\(failure)")
            }
          }
        }
        #expect(found == ["A", "trap", "B", "false", "7", "C"])
      }
    }

    @Test("items and outputs of several MiB")
    func large() async throws {
      try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 2), lease: .seconds(10))) { pool in
        let items = (0..<4).map { [UInt8](repeating: UInt8($0), count: 3 << 20) }
        let reversed = try await pool.map(items, with: Reverse())
        #expect(reversed == items)
      }
    }

    @Test("a pool of its own inside an item, on an agent")
    func nested() async throws {
      try await withWorkerPool(.cluster(engine: .managed, launch: .local(agents: 1), lease: .seconds(5))) { pool in
        let sums = try await pool.map([3, 4], with: Sums())
        #expect(sums == [5, 14])
      }
    }
  }
}

struct Reverse: StatelessWorker {
  func process(_ item: [UInt8]) -> [UInt8] { item.reversed() }
}

/// The sum of the squares below the item, by a pool of threads.
struct Sums: StatelessWorker {
  func process(_ item: Int) async throws -> Int {
    try await withWorkerPool(.threads(2)) { pool in try await pool.map(0..<item, with: Square()).reduce(0, +) }
  }
}
#endif
