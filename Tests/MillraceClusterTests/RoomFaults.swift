#if Cluster
import Logging
import Millrace
import MillraceIPC
import TestSupport
import Testing

@testable import MillraceCluster

/// What is too large for the server that it should go through.
extension Checked {
  @Suite(.enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct RoomFaults {
    /// A server that has room for so many bytes more than it needs itself.
    private func withServer(
      room: Int, _ body: (WorkerPool.Backend) async throws -> Void
    ) async throws {
      let server = try ManagedServer()
      do {
        let engine = RedisEngine(server.address, job: "setting")
        let info = try await engine.client.ask(["INFO", "memory"]).string ?? ""
        let used = info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("used_memory:") }
        let bytes = try #require(used.flatMap { Int($0.dropFirst("used_memory:".count)) })
        _ = try await engine.client.ask(["CONFIG", "SET", "maxmemory", "\(bytes + room)"])
        await engine.close()
        try await body(
          .cluster(engine: .redis(server.address.url), launch: .local(agents: 1), lease: .seconds(10)))
      } catch {
        await server.end()
        throw error
      }
      await server.end()
    }

    @Test("U102: a server without room for an item ends the map, and says so once")
    func item() async throws {
      try await withServer(room: 4 << 20) { backend in
        let heard = Heard()
        try await withWorkerPool(backend, logger: heard.logger()) { pool in
          let error = await #expect(throws: WorkerPoolError.self) {
            try await pool.map([[UInt8](repeating: 1, count: 12 << 20)], with: Reverse())
          }
          #expect(says(error, "OOM"), "\(String(describing: error))")
          #expect(heard.messages.count { $0.contains("OOM") } == 1, "\(heard.messages)")
        }
      }
    }

    @Test("U102: no item is too large for what a server takes in one piece")
    func pieces() async throws {
      let server = try ManagedServer(more: ["proto-max-bulk-len 1mb"])
      try await withWorkerPool(.cluster(engine: .redis(server.address.url), launch: .local(agents: 1))) { pool in
        // Of one piece, of several, and on the border.
        for size in [RedisEngine.largest - 200, RedisEngine.largest, 1 << 20, 12 << 20] {
          let item = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
          let reversed = try await pool.map([item], with: Reverse())
          #expect(reversed == [item.reversed()])
        }
      }
      await server.end()
    }

    @Test(
      "U103: an output for which the server has no room is its item's failure, with the reason, and the others go on")
    func output() async throws {
      try await withServer(room: 8 << 20) { backend in
        try await withWorkerPool(backend) { pool in
          var found: [String] = []
          for try await outcome in pool.outcomes(
            of: [10, 24 << 20, 20], with: Zeros(), options: MapOptions(chunking: .size(1)))
          {
            switch outcome.result {
            case .success(let zeros): found.append("\(zeros.count)")
            case .failure(let failure):
              guard case .undecodable(let error) = failure.cause else {
                Issue.record("\(failure)")
                continue
              }
              #expect("\(error)".contains("OOM"), "\(error)")
              found.append("failed \(failure.index)")
            }
          }
          #expect(found == ["10", "failed 1", "20"])
        }
      }
    }

    @Test("U103: an item that kills its agents is run three times, and its failure names who was lost last")
    func killer() async throws {
      let backend = WorkerPool.Backend.cluster(engine: .managed, launch: .local(agents: 2), lease: .milliseconds(500))
      let heard = Heard()
      try await withWorkerPool(backend, logger: heard.logger()) { pool in
        for try await outcome in pool.outcomes(of: ["kill the agent"], with: Mischief()) {
          guard case .failure(let failure) = outcome.result, case .quarantined(3, let last) = failure.cause else {
            Issue.record("\(outcome)")
            continue
          }
          #expect("\(last)".contains("was lost while it had the item"), "\(last)")
          #expect("\(last)".contains("process"), "\(last)")
        }
      }
      #expect(heard.messages.count { $0 == "an agent died of signal 9" } == 3, "\(heard.messages)")
    }
  }
}

/// So many bytes.
struct Zeros: StatelessWorker {
  func process(_ item: Int) -> [UInt8] { [UInt8](repeating: 0, count: item) }
}
#endif
