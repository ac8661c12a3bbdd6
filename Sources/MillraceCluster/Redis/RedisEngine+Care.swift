#if Cluster
import Millrace

/// What whoever looks after a queue asks of it, without being a job's driver.
extension RedisEngine {
  package func drain(_ agents: [String]) async throws -> [String] {
    guard !agents.isEmpty else { return [] }
    return try await client.run(.drain, [keys.members, keys.drains], agents.map { Array($0.utf8) }).array
      .compactMap(\.string)
  }

  package func clean() async throws -> Int {
    let known = [keys.driver, keys.phase, keys.epoch] + keys.lasting
    var count = try await client.run(.clean, known, []).integer ?? 0
    // What lies beside the streams, and what was kept for who goes on. Another driver may have begun meanwhile.
    let rest = try await names(like: keys.pattern).filter { !known.contains($0) }
    guard !rest.isEmpty else { return count }
    count += try await client.ask(RESPCommand(["UNLINK"] + rest)).integer ?? 0
    return count
  }

  /// Whether another driver could go on with something.
  package func hasRun() async throws -> Bool { try await !names(like: keys.run("*")).isEmpty }

  /// How many items of each run were delivered.
  func runs() async throws -> [String: Int] {
    let names = try await names(like: keys.delivered("*"))
    guard !names.isEmpty else { return [:] }
    let counts = try await client.ask(names.map { ["BITCOUNT", $0] })
    let (before, behind) = (keys.run("").count, keys.delivered("").count - keys.run("").count)
    return Dictionary(
      zip(names, counts).map { (String($0.dropFirst(before).dropLast(behind)), $1.integer ?? 0) }
    ) { $1 }
  }

  /// The names of all jobs of a server.
  package func jobs() async throws -> [String] {
    let jobs = try await names(like: "millrace:{*}:phase").compactMap { key -> String? in
      guard let start = key.firstIndex(of: "{"), let end = key.lastIndex(of: "}") else { return nil }
      return String(key[key.index(after: start)..<end])
    }
    return Set(jobs).sorted()
  }

  private func names(like pattern: String) async throws -> [String] {
    var (cursor, names) = ("0", Set<String>())
    repeat {
      let answer = try await client.ask(["SCAN", cursor, "MATCH", pattern, "COUNT", "1000"])
      cursor = answer.array.first?.string ?? "0"
      names.formUnion(answer.array.last?.array.compactMap(\.string) ?? [])
    } while cursor != "0"
    return names.sorted()
  }
}
#endif
