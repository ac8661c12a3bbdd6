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
    // All that is there now, and no more: what another driver has that begins meanwhile is its own.
    let first = [keys.driver, keys.phase]
    let rest = try await names(like: keys.pattern).filter { !first.contains($0) }
    return try await client.run(.clean, first + rest, [], within: .seconds(60)).integer ?? 0
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

  /// The names of all jobs of a server of which anything is there.
  package func jobs() async throws -> [String] {
    let jobs = try await names(like: "millrace:{*}:*").compactMap { key -> String? in
      guard let start = key.firstIndex(of: "{"), let end = key.firstIndex(of: "}") else { return nil }
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
