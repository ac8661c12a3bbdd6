#if Cluster
import Millrace
import MillraceIPC
import Testing

@testable import MillraceCluster

/// `Redis server v=7.0.15 …`
private let saysSinceWhen: Bool = {
  let text = (try? Files.output(of: "redis-server --version 2>/dev/null")) ?? ""
  let version = text.split(separator: " ").first { $0.hasPrefix("v=") }?.dropFirst(2)
  return version.flatMap { $0.split(separator: ".").first }.flatMap { Int($0) }.map { $0 >= 7 } ?? false
}()

extension Checked {
  /// What is asked of a server is what Redis 6.2 knows. A later one says since when it has known a command.
  @Suite(
    .enabled(if: QueueKind.hasServer, "redis-server is not installed"),
    .enabled(if: saysSinceWhen, "redis-server is older than 7.0, and does not say since when it knows a command"),
    .serialized)
  struct CommandAgeTests {
    /// The commands of the scripts, as they stand there.
    private static var inScripts: Set<String> {
      var names: Set<String> = []
      for script in RedisScript.allCases {
        for match in script.text.matches(of: #/redis\.p?call\('([A-Z]+)'(?:, '(CREATE|STREAM)')?/#) {
          names.insert(([match.1] + (match.2.map { [$0] } ?? [])).joined(separator: "|").lowercased())
        }
      }
      return names
    }

    @Test("every command is one of Redis 6.2 or older")
    func age() async throws {
      let server = try ManagedServer()
      let result: Result<Void, any Error>
      do { result = .success(try await age(on: server)) } catch { result = .failure(error) }
      await server.end()
      try result.get()
    }

    private func age(on server: ManagedServer) async throws {
      // A run that goes on, with items beside the stream, an agent that leaves, and who looks after it.
      let backend = WorkerPool.Backend.cluster(
        engine: .redis(server.address.url, job: "age"), launch: .local(agents: 2), lease: .milliseconds(600))
      let engine = RedisEngine(server.address, job: "age")
      try await withWorkerPool(backend) { pool in
        let large = [[UInt8](repeating: 1, count: 2 << 20)]
        let reversed = try await pool.map(large, with: Reverse())
        #expect(reversed == large)
        var count = 0
        for try await _ in pool.outcomes(of: 0..<40, with: SlowPlaces(), resuming: "run") {
          count += 1
          if count == 20 { _ = try await engine.drain([try await engine.members()[0].name]) }
        }
        #expect(count == 40)
        let status = try await engine.status()
        #expect(!status.members.isEmpty)
      }
      _ = try await engine.jobs()
      _ = try? await engine.clean()
      let statistics = try await engine.client.ask(["INFO", "commandstats"]).string ?? ""
      let asked = statistics.split(whereSeparator: \.isNewline).compactMap { line in
        line.hasPrefix("cmdstat_") ? String(line.dropFirst(8).prefix { $0 != ":" }) : nil
      }
      let names = Self.inScripts.union(asked)
      #expect(names.isSuperset(of: ["xreadgroup", "xadd", "evalsha", "xgroup|create"]))
      var unknown: [String] = []
      for name in names.sorted() {
        let answer = try await engine.client.ask(["COMMAND", "DOCS", name]).array
        let fields = answer.last?.array ?? []
        let since = stride(from: 0, to: fields.count - 1, by: 2).first { fields[$0].string == "since" }
          .flatMap { fields[$0 + 1].string }
        guard let numbers = since?.split(separator: ".").compactMap({ Int($0) }), numbers.count >= 2 else {
          unknown.append(name)
          continue
        }
        #expect((numbers[0], numbers[1]) <= (6, 2), "\(name) is there since \(since ?? "")")
      }
      #expect(unknown.isEmpty)
      await engine.close()
    }
  }
}
#endif
