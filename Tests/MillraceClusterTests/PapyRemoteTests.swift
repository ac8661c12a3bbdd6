#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

#if canImport(Glibc)
import Glibc
#endif

/// What PaPy's `worker_remote` examples say of an element.
private struct Got: StatelessWorker {
  func process(_ element: Int) -> String { "got\(element)" }
}

/// And with the process that said it.
private struct GotWhere: StatelessWorker {
  struct Word: Codable, Sendable {
    var text: String
    var process: Int32
    var agent: Int32
  }

  /// Agents that an element has to have been at before any is done: so both have some.
  var folder: String

  func process(_ element: Int) async throws -> Word {
    let agent = agentProcess()
    close(open("\(folder)/\(agent)", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
    while try Files.output(of: "ls '\(folder)' | wc -l") == "1\n" { try await Task.sleep(for: .milliseconds(5)) }
    return Word(text: "got\(element)", process: getpid(), agent: agent)
  }
}

extension Checked {
  /// I23 of PaPy's table: five elements over two remote workers on loopback.
  @Suite("I23: remote", .enabled(if: QueueKind.hasServer, "redis-server is not installed"), .serialized)
  struct PapyRemoteTests {
    private static let expected = (0..<5).map { "got\($0)" }

    private func withTwo(_ body: (WorkerPool) async throws -> Void) async throws {
      let server = try ManagedServer()
      let result: Result<Void, any Error>
      do {
        let backend = WorkerPool.Backend.cluster(
          engine: .redis(server.address.url), launch: .local(agents: 2), lease: .seconds(5))
        result = .success(try await withWorkerPool(backend) { try await body($0) })
      } catch { result = .failure(error) }
      await server.end()
      try result.get()
    }

    @Test("remote: a strided map, and a pipeline, give got0…got4 in order")
    func remote() async throws {
      try await withTwo { pool in
        let loom = try StridedMap(on: pool)
        let words = try loom.add(0..<5, with: Got())
        var found: [String] = []
        for try await word in words { found.append(word) }
        #expect(found == Self.expected)
        let piped = try await Pipeline { Items(0..<5) }.map(with: Got()).list(on: pool)
        #expect(piped == Self.expected)
      }
    }

    @Test("grid: the words come from processes of both agents, and none is this program")
    func grid() async throws {
      let folder = try Files.folder()
      defer { Files.remove(folder) }
      try await withTwo { pool in
        let words = try await pool.map(
          0..<5, with: GotWhere(folder: folder), options: MapOptions(chunking: .size(1)))
        #expect(words.map(\.text) == Self.expected)
        #expect(Set(words.map(\.agent)).count == 2)
        #expect(!words.contains { $0.process == getpid() || $0.agent == getpid() })
        #expect(Set(words.map(\.process)).count == 2)
      }
    }
  }
}
#endif
